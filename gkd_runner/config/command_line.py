"""Check a command line before Hydra runs it, so that every mistake is reported at once.

Hydra stops at the first mistake and accepts any ``+key=value``. Here every override is checked, and
every value of a sweep, before anything is written.
"""

from __future__ import annotations

import itertools
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override, ValueType

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.checker import Checker
from gkd_runner.config.files import file_mistakes, same_names
from gkd_runner.config.flags import without_flags
from gkd_runner.config.hydra_options import PREFIXES, hydra_mistakes
from gkd_runner.config.overrides import parse, values
from gkd_runner.config.presets import register_resolvers
from gkd_runner.config.schemas import choices_in
from gkd_runner.methods import CONF_DIRS
from gkd_runner.options.schema import Config, TeacherConfig

SWEEPS = ("-m", "--multirun")


@dataclass(frozen=True)
class Cell:
    """One configuration of a sweep; ``label`` has its swept overrides (``method=glnn ...``)."""

    label: str
    config: Config


def check_command_line(argv: Sequence[str]) -> list[Cell]:
    """The cells that ``argv`` sweeps over, in Hydra's order; none without ``-m``.

    If a sweeper is to choose values, the one cell has the options that it leaves alone. Raises
    ``ConfigError`` with the mistakes of all cells; ``--help`` and the like are not checked.
    """
    (cells,) = check_command_lines([argv])
    return cells


def check_command_lines(lines: Iterable[Sequence[str]]) -> list[list[Cell]]:
    """The cells of each of several command lines, which share what Hydra has composed.

    Raises ``ConfigError`` with the mistakes of all of them.
    """
    checked, mistakes = list[list[Cell]](), list[str]()
    lines = list(lines)
    several = len(lines) > 1 or any(word in SWEEPS for line in lines for word in line)
    with checking(several=several) as check:
        for argv in lines:
            cells, wrong = check(argv)
            checked.append(cells)
            mistakes += wrong
    if mistakes:
        raise ConfigError(dict.fromkeys(mistakes))
    return checked


@contextmanager
def checking(
    *, several: bool = True
) -> Iterator[Callable[[Sequence[str]], tuple[list[Cell], list[str]]]]:
    """Yield a function from a command line to its cells and its mistakes.

    With ``several`` cells, the command lines that it checks share what Hydra has composed.
    """
    register_resolvers()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield partial(_check, checker_of=cache(partial(Checker, several=several)))


def _check(
    argv: Sequence[str], checker_of: Callable[[tuple[Path, ...]], Checker]
) -> tuple[list[Cell], list[str]]:
    parser = get_args_parser()
    left, mistakes = without_flags(argv, parser.parse_known_args(argv)[1])
    args = parser.parse_args(left)
    if args.help or args.hydra_help or args.shell_completion or args.info:
        return [], []
    overrides, unreadable = parse(args.overrides, multirun=args.multirun)
    own = [o for o in overrides if not o.key_or_group.startswith(PREFIXES)]
    hydras = [override for override in overrides if override not in own]
    folders = (*CONF_DIRS, *([Path(args.config_dir).absolute()] if args.config_dir else []))
    groups = choices_in(folders)
    mistakes += [*unreadable, *_sweep_mistakes(args, own, groups)]
    checker = checker_of(folders)
    sweeps = bool(args.multirun or args.cfg)
    mistakes += hydra_mistakes(hydras, checker.searched, sweeps=sweeps)
    options = [choices for override in own if (choices := values(override, groups))]
    cells, wrong = _cells(options, checker)
    if not mistakes:  # or else options may be left out, such as the name of the graph
        wrong += [mistake for cell in cells for mistake in file_mistakes(cell.config)]
    return (cells if args.multirun else []), mistakes + wrong


def _sweep_mistakes(
    args: Namespace, own: Iterable[Override], groups: Mapping[str, list[str]]
) -> Iterator[str]:
    if args.multirun and args.cfg:
        yield "--cfg shows one configuration and -m makes several; leave one of them out"
    for override in own:
        if override.value_type == ValueType.GLOB_CHOICE_SWEEP and not values(override, groups):
            listed = ", ".join(groups.get(override.key_or_group, []))
            yield f"{override.input_line} matches none of {listed}"


def _cells(options: Sequence[Sequence[Override]], checker: Checker) -> tuple[list[Cell], list[str]]:
    """The cells of every combination, and the mistakes of all."""
    cells, mistakes = list[Cell](), list[str]()
    for chosen in itertools.product(*options):
        config, wrong = checker.check(chosen)
        mistakes += wrong
        swept = [o for o, choices in zip(chosen, options, strict=True) if len(choices) > 1]
        label = " ".join(override.input_line or "" for override in swept)
        if config:
            cells.append(Cell(label or "the only cell", config))
    return cells, [*mistakes, *same_names(cell.config for cell in cells)]


def check_trained(cells: Iterable[Cell]) -> None:
    """Raise ``ConfigError`` if a file stands for a teacher, where teachers are to be trained."""
    for cell in cells:
        if not isinstance(cell.config.teacher, TeacherConfig):
            raise ConfigError(
                [f"{cell.label}: teacher={cell.config.teacher.name} is a file of logits, and this"
                 " command trains its teachers; use gcn, sage or gat"]
            )  # fmt: skip


def check_overrides(texts: Sequence[str]) -> Config:
    """The configuration of a command that does not sweep.

    Raises ``ConfigError`` with all mistakes, a missing graph file among them.
    """
    config, mistakes = _check_one(texts)
    if config and not mistakes:
        mistakes += file_mistakes(config)
    if mistakes or config is None:
        raise ConfigError(dict.fromkeys(mistakes))
    return config


def compose_overrides(texts: Sequence[str]) -> Config:
    """The configuration of these overrides, whose graph may be in memory instead of a file.

    Raises ``ConfigError`` with all mistakes.
    """
    config, mistakes = _check_one(texts)
    if mistakes or config is None:
        raise ConfigError(dict.fromkeys(mistakes))
    return config


def _check_one(texts: Sequence[str]) -> tuple[Config | None, list[str]]:
    register_resolvers()
    overrides, mistakes = parse(texts, multirun=False, several="give one")
    own = [o for o in overrides if not o.key_or_group.startswith(PREFIXES)]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config, wrong = Checker(CONF_DIRS, several=False).check(own)
    mistakes += wrong + [
        f"{text} sets up Hydra, which runs gkd-train alone; leave it out"
        for text in texts
        if text.lstrip("+~").startswith("hydra")
    ]
    return config, mistakes
