"""The CSV files of studies, one row per measurement; several processes may write to one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from gkd_runner.common.checksums import write_with_sum
from gkd_runner.common.locks import held
from gkd_runner.common.reading import csv_rows, reading
from gkd_runner.results.frame import ReportError
from gkd_runner.results.stored import provenance
from gkd_runner.runs.environment import describe_environment

INTEGERS = {"layers", "hidden_dim", "nodes", "classes", "seed", "repeats", "threads", "peak_bytes"}
"""Columns of integers in all studies; those that do not apply to a measurement are empty."""

NUMBERS = {"value", "median_seconds_per_node", "low", "high", "nodes_read"}
"""Columns of floating-point numbers in all studies. All others are text."""


def _integer(text: str) -> int | None:
    return int(text) if text else None


PARSERS: dict[str, Callable[[str], Any]] = {"Int64": _integer, "float64": float, "string": str}


def type_of(column: str) -> str:
    """The pandas type of a column."""
    return "Int64" if column in INTEGERS else "float64" if column in NUMBERS else "string"


@dataclass(frozen=True)
class Form:
    """The columns of a study's CSV.

    Attributes:
        header: the first line. ``configuration`` is the hash of all options that shaped the
            measurement, without the seed.
        scope: the columns that name what was measured. All rows of a scope have one configuration.
        index: the columns that tell the rows of one scope apart.
    """

    header: str
    scope: Sequence[str]
    index: Sequence[str]

    @property
    def columns(self) -> list[str]:
        return self.header.split(",")

    def table(self, rows: Any = ()) -> pd.DataFrame:
        """The rows (dicts, sequences or a DataFrame) with these columns and their types."""
        types = {column: type_of(column) for column in self.columns}
        return pd.DataFrame(rows, columns=self.columns).astype(types)

    def current(self, table: pd.DataFrame) -> pd.DataFrame:
        """Each scope's newest configuration, later rows replacing equal earlier ones."""
        position = table.groupby([*self.scope, *self.index], sort=False, dropna=False).ngroup()
        rows = table.assign(position=position).drop_duplicates("position", keep="last")
        newest = table.groupby(list(self.scope), dropna=False)["configuration"].transform("last")
        kept = rows[rows["configuration"] == newest.loc[rows.index]].sort_values("position")
        return kept[self.columns].reset_index(drop=True)


@dataclass(frozen=True)
class Measurements:
    """A study's CSV at ``path``."""

    path: Path
    form: Form

    def read(self) -> pd.DataFrame:
        """All measurements. Raises ``ReportError`` for a damaged file or one with other columns."""
        if not self.path.is_file():
            return self.form.table()
        with reading(self.path, "move it away, and run the study again", ReportError):
            header, rows = csv_rows(self.path)
        if header != self.form.columns:
            raise ReportError(
                f"{self.path} has columns {', '.join(header)}, this version writes"
                f" {', '.join(self.form.columns)}; move it away"
            )
        parsed = [self._parsed(line, row) for line, row in enumerate(rows, start=2)]
        with reading(self.path, "move it away, and run the study again", ReportError):
            return self.form.table(parsed)

    def add(self, rows: pd.DataFrame) -> None:
        """Write ``rows`` beside what the file has, in place of what they outdate."""
        with held(self.path.with_name(f".{self.path.name}.lock"), f"writes {self.path}"):
            kept = self.form.current(
                pd.concat([self.read(), self.form.table(rows)], ignore_index=True)
            )
            floats = {name: kept[name].map(repr) for name in kept.select_dtypes("float64")}
            text = kept.assign(**floats).to_csv(index=False, lineterminator="\n")
            write_with_sum(self.path, text)

    def _parsed(self, line: int, row: list[str]) -> list[Any]:
        try:
            cells = zip(self.form.columns, row, strict=True)
            return [PARSERS[type_of(column)](text) for column, text in cells]
        except ValueError as error:
            raise ReportError(
                f"{self.path}, line {line} is broken ({error}); delete the line, and run the study"
                " again"
            ) from error


def origin_columns(device: torch.device) -> dict[str, Any]:
    """Threads, device and commit of a measurement; ask early, since the checkout may change."""
    return {"threads": torch.get_num_threads(), **provenance(describe_environment(device))}


def configuration_hash(*parts: Any) -> str:
    """Hash of plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
