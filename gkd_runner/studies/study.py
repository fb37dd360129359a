"""The parts of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from rich.console import RenderableType

from gkd_runner.options.schema import Config
from gkd_runner.studies.measurements import Form, Measurements


@dataclass(frozen=True)
class Variant:
    """Options that a study changes, and its name for them."""

    name: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One configuration of a study, and the name of its variant."""

    config: Config
    variant: str


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes:
        defaults: the gkd-train options that it starts from; ``dataset``, ``teacher`` and ``seeds``
            list their values with commas.
        form: the columns of its CSV.
        run: yields all measurements of the cases, in parts that are written down at once. It may
            read those that the CSV has.
        table: shows measurements in the terminal.
        sentence: judges the papers' claim by measurements.
        variants: the configurations that it compares on every dataset with every teacher.
    """

    defaults: Mapping[str, str]
    form: Form
    run: Callable[[Sequence[Case], Measurements], Iterator[pd.DataFrame]]
    table: Callable[[pd.DataFrame], RenderableType]
    sentence: Callable[[pd.DataFrame], str]
    variants: Sequence[Variant] = (Variant(""),)

    def measurements(self, name: str, output_dir: Path) -> Measurements:
        """The study's CSV in an output folder."""
        return Measurements(output_dir / "studies" / f"{name}.csv", self.form)

    def measure(self, cases: Sequence[Case], measurements: Measurements) -> pd.DataFrame:
        """Run the cases and add to the CSV; all measurements of the cases."""
        parts = []
        for part in self.run(cases, measurements):
            measurements.add(part)
            parts.append(part)
        return pd.concat(parts, ignore_index=True).drop_duplicates()


SHARED_DEFAULTS = {
    "dataset": "cora,citeseer,pubmed",
    "teacher": "gcn",
    "seeds": "2022,2023,2024,2025,2026",
    "protocol": "infgrand",
    "setting": "transductive",
    "preset": "common",
    "tracker": "none",
}
"""The options that most studies start from: all methods have the same teachers."""
