"""Read a table file: CSV, TSV, lists separated by blanks, Parquet; each also as it comes zipped."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from gkd_runner.common.errors import DataError, on_one_line
from gkd_runner.common.extras import require
from gkd_runner.data.importing.kinds import (
    PARQUET_SUFFIXES,
    TEXT_SUFFIXES,
    hint,
    is_table,
    suffix_of,
)
from gkd_runner.data.importing.names import INDEX
from gkd_runner.data.importing.raw import Array

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Sheet(NamedTuple):
    """A table, and its file or role with which messages about it begin."""

    table: pd.DataFrame
    where: str


def read_sheet(source: pd.DataFrame | Path, role: str, text: tuple[str, ...]) -> Sheet:
    """The table of a file or of a frame, whose index counts as a column if it is a real one.

    Args:
        source: a file or a frame.
        role: what the table holds, as in "the edges"; names a frame in messages.
        text: columns that are read from a file as they are written.
    """
    if isinstance(source, Path):
        return Sheet(read_table(source, text), str(source))
    table = source if isinstance(source.index, pd.RangeIndex) else source.reset_index()
    return Sheet(table.rename(columns=str), role)


def read_table(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """The table in ``path``, with column names as text; without a header they are 0, 1, 2, ...

    The columns ``text`` are read as they are written, as are all columns that hold no numbers.

    Raises:
        DataError: for a file that is missing, empty, or no table.
    """
    if not path.is_file():
        raise DataError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    try:
        if suffix_of(path) in PARQUET_SUFFIXES:
            table = _read_parquet(path)
        elif is_table(path):
            table = _read_text(path, text)
        else:
            raise DataError(
                f"{path}: {hint(path) or 'is no table'}; tables end in"
                f" {', '.join(TEXT_SUFFIXES[:3])} or {PARQUET_SUFFIXES[0]}"
            )
    except (OSError, ValueError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise DataError(f"{path}: not a readable table: {on_one_line(str(error))}") from error
    if table.empty:
        raise DataError(f"{path}: the table has no rows")
    return table


def read_json_features(path: Path) -> tuple[Array, Array, list[str]]:
    """The pairs (node, feature) of a file ``{node: [feature ids]}``, as two arrays of text.

    The third result are all nodes, of which some may have no feature.

    Raises:
        DataError: for JSON of another form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise DataError(f"{path}: JSON features have the form {{node: [feature ids]}}")
    pairs = [(node, str(feature)) for node, listed in content.items() for feature in listed]
    table = pd.DataFrame(pairs, columns=["node", "feature"], dtype=object)
    return table["node"].to_numpy(), table["feature"].to_numpy(), list(content)


def _read_parquet(path: Path) -> pd.DataFrame:
    require(f"{path}: Parquet", "import", "pyarrow")
    table = pd.read_parquet(path, engine="pyarrow")
    if table.index.name is not None:  # ids that pandas wrote as an index
        table = table.reset_index()
    return table.rename(columns=str)


def _read_text(path: Path, text: tuple[str, ...]) -> pd.DataFrame:
    """A text table; lines before the header that start with # are skipped, as SNAP writes them."""
    skipped, first = _first_line(path)
    separator = _separator(first)
    names = [INDEX if cell in ("", "Unnamed: 0") else cell for cell in _cells(first, separator)]
    numbers = sum(map(_is_number, names))
    repeated = [name for place, name in enumerate(names) if name in names[:place]]
    if repeated and not numbers:
        raise DataError(f"{path}: two columns are called {repeated[0]}; rename one of them")
    headed = not repeated and numbers < len(names)
    columns = names if headed else [str(number) for number in range(len(names))]
    return pd.read_csv(
        path,
        sep=r"\s+" if separator == " " else separator,
        names=columns,
        skiprows=skipped + headed,
        dtype={name: str for name in text if name in columns},
        encoding="utf-8-sig",
        skipinitialspace=True,
        index_col=False,
        low_memory=False,
    )


def _first_line(path: Path) -> tuple[int, str]:
    """The number of comments at the start, and the line after them."""
    opened: Any = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream):
            if line.strip() and not line.startswith("#"):
                return number, line.rstrip("\n")
    raise DataError(f"{path}: the file is empty")


def _separator(line: str) -> str:
    return next((mark for mark in "\t,;" if mark in line), " ")


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))
