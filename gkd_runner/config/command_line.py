"""Check a command line before Hydra runs it, so that every mistake is reported at once.

Hydra stops at the first mistake and accepts any ``+key=value``. Here every override is checked, and
every value of a sweep, before anything is written.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from gkd_runner.common.errors import ConfigError, nearest
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.flags import without_flags
from gkd_runner.config.graph_files import (
    file_mistake,
    is_graph_file,
    register_graph_files,
    same_names,
)
from gkd_runner.config.hydra_options import PREFIXES, hydra_mistakes
from gkd_runner.config.presets import register_resolvers
from gkd_runner.config.schemas import choices_in
from gkd_runner.config.shorthand import list_mistake, written_out
from gkd_runner.config.typed import to_config
from gkd_runner.methods import CONF_DIRS
from gkd_runner.options.schema import GROUPS, Config


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
    register_resolvers()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        checker_of = cache(_Checker)
        for argv in lines:
            cells, wrong = _check(argv, checker_of)
            checked.append(cells)
            mistakes += wrong
    if mistakes:
        raise ConfigError(dict.fromkeys(mistakes))
    return checked


def _check(
    argv: Sequence[str], checker_of: Callable[[tuple[Path, ...]], _Checker]
) -> tuple[list[Cell], list[str]]:
    parser = get_args_parser()
    left, flags = without_flags(argv, parser.parse_known_args(argv)[1])
    args = parser.parse_args(left)
    if args.help or args.hydra_help or args.shell_completion or args.info:
        return [], []
    overrides, mistakes = _parse(args.overrides, multirun=args.multirun)
    mistakes = flags + mistakes
    readable = not mistakes  # or else options may be missing, such as the graph's name
    if args.multirun and args.cfg:
        mistakes.append("--cfg shows one configuration and -m makes several; leave one of them out")
    own = [o for o in overrides if not o.key_or_group.startswith(PREFIXES)]
    hydras = [override for override in overrides if override not in own]
    folders = (*CONF_DIRS, *([Path(args.config_dir).absolute()] if args.config_dir else []))
    groups = choices_in(folders)
    mistakes += [
        f"{override.input_line} matches none of {', '.join(groups.get(override.key_or_group, []))}"
        for override in own
        if override.value_type == ValueType.GLOB_CHOICE_SWEEP and not _values(override, groups)
    ]
    checker = checker_of(folders)
    sweeps = bool(args.multirun or args.cfg)
    mistakes += hydra_mistakes(hydras, checker.searched, sweeps=sweeps)
    options = [choices for override in own if (choices := _values(override, groups))]
    cells = []
    for chosen in itertools.product(*options):
        config, wrong = checker.check(chosen)
        mistakes += wrong
        swept = [o for o, choices in zip(chosen, options, strict=True) if len(choices) > 1]
        label = " ".join(override.input_line or "" for override in swept)
        if config:
            cells.append(Cell(label or "the only cell", config))
            mistakes += filter(None, [file_mistake(config) if readable else None])
    mistakes += same_names(cell.config for cell in cells)
    return (cells if args.multirun else []), mistakes


def check_overrides(texts: Sequence[str]) -> Config:
    """The configuration of a command that does not sweep.

    Raises ``ConfigError`` with all mistakes, a missing graph file among them.
    """
    config, mistakes = _check_one(texts)
    if config and not mistakes:
        mistakes += filter(None, [file_mistake(config)])
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
    overrides, mistakes = _parse(texts, multirun=False, several="give one")
    own = [o for o in overrides if not o.key_or_group.startswith(PREFIXES)]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config, wrong = _Checker(CONF_DIRS, several=False).check(own)
    mistakes += wrong + [
        f"{text} sets up Hydra, which runs gkd-train alone; leave it out"
        for text in texts
        if text.lstrip("+~").startswith("hydra")
    ]
    return config, mistakes


def chooses_sweeper(texts: Iterable[str]) -> bool:
    """True if a command line names a sweeper, which chooses the cells as it goes."""
    return any(text.startswith("hydra/sweeper=") for text in texts)


def _parse(
    texts: Iterable[str], *, multirun: bool, several: str = "add -m to run each of them"
) -> tuple[list[Override], list[str]]:
    parser, overrides, mistakes = OverridesParser.create(), [], []
    texts = written_out(texts)
    sweeper = chooses_sweeper(texts)
    for text in texts:
        if mistake := list_mistake(text):
            mistakes.append(mistake)
            continue
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException:
            mistakes.append(_unreadable(text))
            continue
        if override.is_sweep_override() and not multirun:
            mistakes.append(f"{text} gives several values; {several}")
        elif override.value_type == ValueType.INTERVAL_SWEEP and not sweeper:
            mistakes.append(
                f"{text}: an interval needs a sweeper that searches; list values instead"
            )
        else:
            overrides.append(override)
    register_graph_files(overrides)
    return overrides, mistakes + _repeated(overrides)


def _repeated(overrides: Sequence[Override]) -> list[str]:
    """Report swept options that are given more than once, as labels would have all of them.

    Of options with one value the last counts, as everywhere in Hydra.
    """
    given: dict[str, list[Override]] = {}
    for override in overrides:
        given.setdefault(override.key_or_group, []).append(override)
    return [
        f"{key} is swept and given more than once"
        f" ({', '.join(override.input_line or '' for override in same)}); give it once"
        for key, same in given.items()
        if len(same) > 1 and any(override.is_sweep_override() for override in same)
    ]


def _unreadable(text: str) -> str:
    key, equals, value = text.partition("=")
    if not equals:
        return f"{text} is not of the form option=value"
    return f"{text} has characters that need quotes of their own: '{key}=\"{value}\"'"


def _values(override: Override, groups: Mapping[str, list[str]]) -> list[Override]:
    """An override for each value of ``override``; none for an interval, which is searched."""
    if override.value_type == ValueType.INTERVAL_SWEEP:
        return []
    if not override.is_sweep_override():
        return [override]
    items: Iterable[object] = ()
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        items = override.value().filter(groups.get(override.key_or_group, []))  # type: ignore[union-attr]
    else:
        items = override.sweep_string_iterator()
    texts = [f"{override.get_key_element()}={item}" for item in items]
    return OverridesParser.create().parse_overrides(texts)


class _Checker:
    """Checks cells; of ``several``, those that share a group's choice share its composition."""

    def __init__(self, folders: Sequence[Path], *, several: bool = True) -> None:
        self._groups, self._several = choices_in(folders), several
        paths = ",".join(f"file://{folder}" for folder in folders[1:])
        self.searched = [f"hydra.searchpath=[{paths}]"] if paths else []
        self._composed = cache(lambda *choices: hydra.compose("train", [*choices, *self.searched]))

    def check(self, cell: Sequence[Override]) -> tuple[Config | None, list[str]]:
        """The configuration of one combination of overrides, if it has one, and all mistakes."""
        datasets = [o.value() for o in cell if o.key_or_group == "dataset"]
        custom = any(value == "custom" or is_graph_file(value) for value in datasets)
        problems = [self._problem(override, custom=custom) for override in cell]
        sound = [o for o, problem in zip(cell, problems, strict=True) if not problem]
        composed = self._compose([o for o in sound if o.key_or_group in self._groups])
        for override in sound:
            if override.key_or_group not in self._groups:
                OmegaConf.update(composed, override.key_or_group, override.value(), force_add=True)
        mistakes = [problem for problem in problems if problem]
        try:
            return to_config(composed), mistakes
        except ConfigError as error:
            return None, mistakes + error.mistakes

    def _compose(self, choices: Sequence[Override]) -> DictConfig:
        """The configuration with these choices, where each group is composed by Hydra just once."""
        own = [choice for choice in choices if choice.key_or_group in GROUPS and self._several]
        others = tuple(choice.input_line or "" for choice in choices if choice not in own)
        composed = copy.deepcopy(self._composed(*others))
        OmegaConf.set_struct(composed, False)
        for choice in own:
            group = choice.key_or_group
            composed[group] = self._composed(*others, choice.input_line or "")._get_node(group)
        return composed

    def _problem(self, override: Override, *, custom: bool) -> str | None:
        key = override.key_or_group
        group, _, name = key.partition(".")
        if override.is_delete():
            return f"{override.input_line} removes what every job needs; leave it out"
        if key in self._groups:
            return _choice(override, self._groups[key])
        if key == "dataset.family":
            return (
                f"{override.input_line}: the family belongs to the graph; choose with dataset=..."
            )
        if name == "name" and group in self._groups and not (group == "dataset" and custom):
            return f"{override.input_line} renames what it does not change; choose with {group}=..."
        return None


def _choice(override: Override, allowed: Sequence[str]) -> str | None:
    group, value = override.key_or_group, override.value()
    dataset = group == "dataset"
    if value in allowed or (dataset and is_graph_file(value)):
        return None
    files = sorted(path.name for path in Path().glob("*.npz")) if dataset else []
    hint = nearest(str(value), [*allowed, *files])
    own = " (your own graph: make my.npz with gkd-import, then dataset=my.npz)" * dataset
    return f"{group}={value} is not one of {', '.join(allowed)}{hint}{own}"
