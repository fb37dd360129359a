"""Studies' CSV files as tidy tables: a row per measurement, shared by processes at once."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from gkd_runner.common.files import replacing
from gkd_runner.common.locks import held
from gkd_runner.results.frame import ReportError
from gkd_runner.results.stored import provenance
from gkd_runner.runs.environment import describe_environment

PARSERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "int64": int,
    "float64": float,
    "Int64": lambda text: int(text) if text else None,
}
"""By the pandas type of a column; only ``Int64`` allows missing values, which are written empty."""


@dataclass(frozen=True)
class Form:
    """The columns of a study's CSV.

    Attributes:
        columns: the pandas type of each column. ``configuration`` is the hash of all options that
            shaped the measurement, without the seed.
        scope: the columns that name what was measured. All rows of a scope have one configuration.
        index: the columns that tell the rows of one scope apart.
    """

    columns: Mapping[str, str]
    scope: tuple[str, ...]
    index: tuple[str, ...]

    def table(self, rows: Any = ()) -> pd.DataFrame:
        """The rows (dicts, sequences or a DataFrame) with these columns and types."""
        return pd.DataFrame(rows, columns=list(self.columns)).astype(dict(self.columns))

    def current(self, table: pd.DataFrame) -> pd.DataFrame:
        """Each scope's newest configuration, later rows replacing equal earlier ones."""
        position = table.groupby([*self.scope, *self.index], sort=False, dropna=False).ngroup()
        rows = table.assign(position=position).drop_duplicates("position", keep="last")
        newest = table.groupby(list(self.scope), dropna=False)["configuration"].transform("last")
        kept = rows[rows["configuration"] == newest.loc[rows.index]].sort_values("position")
        return kept[list(self.columns)].reset_index(drop=True)


@dataclass(frozen=True)
class Measurements:
    """A study's CSV at ``path``."""

    path: Path
    form: Form

    def read(self) -> pd.DataFrame:
        """All measurements. Raises ``ReportError`` for a file with other columns."""
        if not self.path.is_file():
            return self.form.table()
        with self.path.open(newline="", encoding="utf-8") as text:
            header, *rows = list(csv.reader(text)) or [[]]
        if header != list(self.form.columns):
            raise ReportError(
                f"{self.path} has columns {', '.join(header)}, this version writes"
                f" {', '.join(self.form.columns)}; move it away"
            )
        return self.form.table([self._parsed(line, row) for line, row in enumerate(rows, start=2)])

    def add(self, rows: pd.DataFrame) -> None:
        """Write ``rows`` beside what the file has, in place of what they outdate."""
        with held(self.path.with_name(f".{self.path.name}.lock"), f"writes {self.path}"):
            kept = self.form.current(pd.concat([self.read(), self.form.table(rows)], ignore_index=True))
            floats = {name: kept[name].map(repr) for name in kept.select_dtypes("float64")}
            with replacing(self.path) as part:
                kept.assign(**floats).to_csv(part, index=False, lineterminator="\n")

    def _parsed(self, line: int, row: list[str]) -> list[Any]:
        try:
            if len(row) != len(self.form.columns):
                raise ValueError(f"{len(row)} of {len(self.form.columns)} values")
            kinds = self.form.columns.values()
            return [PARSERS[kind](text) for kind, text in zip(kinds, row, strict=True)]
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
