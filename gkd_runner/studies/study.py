"""What a study is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from gkd_runner.options.schema import Config
from gkd_runner.studies.lines import Lines


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
class Finding:
    """What a study prints: tables, and a sentence on the claim, made from the numbers."""

    table: RenderableType
    sentence: str


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes:
        defaults: the gkd-train options that it starts from; ``dataset``, ``teacher`` and ``seeds``
            list their values with commas.
        line: the dataclass of its CSV's lines.
        run: measures what the cases ask for into the file and tells what it found.
        variants: what it compares on every dataset with every teacher.
    """

    defaults: Mapping[str, str]
    line: type[Any]
    run: Callable[[Sequence[Case], Lines[Any]], Finding]
    variants: Sequence[Variant] = (Variant(""),)

    def lines(self, name: str, output_dir: Path) -> Lines[Any]:
        """The study's CSV."""
        return Lines(output_dir / "studies" / f"{name}.csv", self.line)


SHARED_DEFAULTS = {
    "dataset": "cora,citeseer,pubmed",
    "teacher": "gcn",
    "seeds": "2022,2023,2024,2025,2026",
    "protocol": "infgrand",
    "setting": "transductive",
    "preset": "common",
    "tracker": "none",
}
"""What most studies start from: all methods on the same teachers."""
