"""What a study is, and how a command line becomes the configurations it runs over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich import box
from rich.console import RenderableType
from rich.table import Table

from gkd_runner.config.build import capped
from gkd_runner.config.command_line import Cell, check_command_lines
from gkd_runner.config.schema import SCHEMAS, Config, MethodConfig
from gkd_runner.environment import choose_device, describe_environment
from gkd_runner.errors import ConfigError
from gkd_runner.stored import provenance
from gkd_runner.studies.lines import Lines

MethodT = TypeVar("MethodT", bound=MethodConfig)

OWN_OPTIONS = {"dataset": "datasets", "teacher": "teachers", "seeds": "seeds"}
"""gkd-train's options that a study takes as lists of its own."""


@dataclass(frozen=True)
class Variant:
    """What a study changes of its options, and the name it has for that."""

    name: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One configuration of a study, and the name of the variant that it is."""

    config: Config
    variant: str


@dataclass(frozen=True)
class Report:
    """What a study prints: short tables, and one sentence on the claim, made from the numbers."""

    table: RenderableType
    sentence: str


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes:
        defaults: the gkd-train options that it starts from; ``dataset``, ``teacher`` and ``seeds``
            list their values with commas.
        line: the dataclass whose fields are the columns of its CSV.
        key: the columns that tell its measurements apart.
        run: measures what the cases ask for into the file and reports on them.
        variants: what it compares on every dataset with every teacher.
    """

    defaults: Mapping[str, str]
    line: type[Any]
    key: tuple[str, ...]
    run: Callable[[Sequence[Case], Lines[Any]], Report]
    variants: Sequence[Variant] = (Variant(""),)

    def lines(self, name: str, output_dir: Path) -> Lines[Any]:
        """The study's CSV."""
        return Lines(output_dir / "studies" / f"{name}.csv", self.line, self.key)


def study_cases(
    study: Study, own: Mapping[str, str], overrides: Sequence[str], max_width: int | None = None
) -> list[Case]:
    """One configuration per variant, dataset and teacher.

    ``own`` has the lists given as ``--datasets``, ``--teachers`` and ``--seeds``, by those names;
    ``max_width`` caps the hidden widths. Raises ``ConfigError`` with all mistakes.
    """
    misplaced = {
        text: f"{text}: a study takes --{OWN_OPTIONS[option]} {text.partition('=')[2].strip('[]')}"
        for text in overrides
        if (option := _option(text)) in OWN_OPTIONS
    }
    varied = {option for variant in study.variants for option in variant.options}
    misplaced |= {
        text: f"{text}: this study varies {option} itself; leave it out"
        for text in overrides
        if (option := _option(text)) in varied
    }
    others = [text for text in overrides if text not in misplaced]
    given = set(map(_option, others))
    values = {option: text for option, text in study.defaults.items() if option not in given}
    values |= {option: own[name] for option, name in OWN_OPTIONS.items() if own.get(name)}
    values["seeds"] = f"[{values['seeds']}]"
    lines = [
        [
            "-m",
            *(f"{option}={text}" for option, text in (values | variant.options).items()),
            *others,
        ]
        for variant in study.variants
    ]
    try:
        cells = check_command_lines(lines)
        _check_once(cells[0], " ".join(lines[0][1:]))
        cases = [
            Case(capped(cell.config, max_width) if max_width else cell.config, variant.name)
            for variant, found in zip(study.variants, cells, strict=True)
            for cell in found
        ]
    except ConfigError as error:
        raise ConfigError([*misplaced.values(), *error.mistakes]) from None
    if misplaced:
        raise ConfigError(misplaced.values())
    return cases


def _option(text: str) -> str:
    return text.lstrip("+").partition("=")[0]


def _check_once(cells: Sequence[Cell], line: str) -> None:
    """Refuse sweeps over anything but datasets and teachers."""
    if len({(cell.config.dataset.name, cell.config.teacher.name) for cell in cells}) < len(cells):
        raise ConfigError(
            [f"{line}: a study takes each dataset and teacher once, and one value of every other"
             " option"]
        )  # fmt: skip


def only_method(config: Config, kind: type[MethodT]) -> MethodT:
    """The method's options. Raises ``ConfigError`` where it is not of ``kind``."""
    if not isinstance(config.method, kind):
        wanted = [name for name, schema in SCHEMAS["method"].items() if issubclass(schema, kind)]
        raise ConfigError(
            [f"method={config.method.name}: this study is about {', '.join(wanted)}; leave it out"]
        )
    return config.method


def provenance_columns(cases: Sequence[Case]) -> dict[str, Any]:
    """Threads, device and commit of a study that begins now; the checkout may change meanwhile."""
    device = choose_device(cases[0].config.device)
    return {"threads": torch.get_num_threads(), **provenance(describe_environment(device))}


NAMES = ("dataset", "GNN", "quarter", "method", "InfGraND with")
"""Headings of columns that hold names."""


def plain_table(caption: str, headings: Sequence[str]) -> Table:
    """A table without rows yet; numbers stand to the right."""
    table = Table(
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for heading in headings:
        named = heading in NAMES
        table.add_column(heading, justify="left" if named else "right", no_wrap=named)
    return table
