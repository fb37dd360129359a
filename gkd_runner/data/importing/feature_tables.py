"""Features of nodes from tables: a column per feature, or a row per node and feature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import IntArray
from gkd_runner.data.importing.names import IDS
from gkd_runner.data.importing.numbering import check_distinct, ids_of, integers_if_all
from gkd_runner.data.importing.raw import Array
from gkd_runner.data.importing.tables import Sheet

CROWDED = 2
"""Feature ids are column numbers if at least one in so many of these columns is used."""

FEW = 6
"""Columns of features that are named one by one at most."""
MANY = 20
"""Columns that a list of unused ones names at most."""


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Row i of ``matrix`` ``[f, d]`` belongs to the node ``ids[i]``, a text.

    ``taken`` names where they come from; ``unused`` are columns that hold no numbers;
    ``repeated`` and ``renumbered`` as in ``Findings``. ``names`` are those of the columns of
    ``matrix``, where each is a column of the table.
    """

    ids: Array
    matrix: Array | sp.csr_array
    taken: str
    unused: tuple[str, ...] = ()
    repeated: int = 0
    renumbered: int = 0
    names: tuple[str, ...] = ()

    def placed(self, places: IntArray, nodes: int) -> Array | sp.csr_array:
        """``[nodes, d]``, with row i at ``places[i]`` and zeros elsewhere."""
        if not sp.issparse(self.matrix):
            everywhere = np.zeros((nodes, self.matrix.shape[1]), dtype=self.matrix.dtype)
            everywhere[places] = self.matrix
            return everywhere
        entries = sp.coo_array(self.matrix)
        where = (places[entries.coords[0]], entries.coords[1])
        return sp.csr_array((entries.data, where), shape=(nodes, self.matrix.shape[1]))

    def with_empty(self, nodes: list[str]) -> FeatureRows:
        """These rows, and a row of zeros for each of ``nodes`` that has none yet."""
        empty = pd.Index(nodes).difference(pd.Index(self.ids), sort=False)
        rows = sp.csr_array((len(empty), self.matrix.shape[1]))
        ids = np.concatenate([self.ids, np.asarray(empty, dtype=object)])
        return replace(self, ids=ids, matrix=sp.vstack([self.matrix, rows], format="csr"))


def wide_features(sheet: Sheet, id_column: str, others: Iterable[str]) -> FeatureRows:
    """All columns of numbers but ids and ``others``; a column may also hold lists of numbers.

    Raises:
        DataError: for missing values, and if no column holds numbers.
    """
    ids = ids_of(sheet, id_column)
    check_distinct(ids, sheet, id_column)
    spare = [str(name) for name in sheet.table.columns if name not in (id_column, *others)]
    blocks, used, unused = [], [], []
    for name in spare:
        is_id = name.lower() in IDS  # another id, which says nothing about the node
        block = None if is_id else _numbers(sheet.table[name], f"{sheet.where}: column {name}")
        if block is None:
            unused.append(name)
        else:
            blocks.append(block)
            used.append(name)
    if not blocks:
        raise DataError(
            f"{sheet.where}: no features: no column of numbers besides"
            f" {', '.join([*others, id_column])}"
            f"{'; give a table of features: --features features.csv (or .json)' * bool(others)}"
        )
    named = ", ".join(used) if len(used) <= FEW else f"{len(used)} columns, {used[0]} to {used[-1]}"
    matrix = np.concatenate(blocks, axis=1)
    names = tuple(used) if len(used) == matrix.shape[1] else ()
    return FeatureRows(ids, matrix, named, unused_columns(unused, sheet.where), names=names)


def unused_columns(names: list[str], where: str) -> tuple[str, ...]:
    """The entry of ``Findings.unused`` for these columns of one table."""
    columns = "column" if len(names) == 1 else "columns"
    shown = ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if names[MANY:] else "")
    return (f"{columns} {shown} of {Path(where).name}",) if names else ()


def long_features(sheet: Sheet, id_column: str, feature: str, value: str | None) -> FeatureRows:
    """One row per node and feature, with a value or, without such a column, the value 1."""
    values = np.ones(len(sheet.table))
    if value is not None:
        numbers = _numbers(sheet.table[value], f"{sheet.where}: column {value}")
        if numbers is None or numbers.shape[1] != 1:
            raise DataError(f"{sheet.where}: column {value} holds no numbers")
        values = numbers[:, 0]
    taken = ", ".join([id_column, feature, *([value] if value else [])])
    owners, features = ids_of(sheet, id_column), ids_of(sheet, feature)
    return sparse_features(owners, features, values, taken, sheet.where)


def sparse_features(
    nodes: Array, features: Array, values: Array, taken: str, where: str
) -> FeatureRows:
    """CSR features of triples (node, feature, value), each ``[k]``, ids as text.

    Feature ids are column numbers if they are integers from 0 without wide gaps; others become
    columns in sorted order. A triple that is repeated counts once.

    Raises:
        DataError: if a node has two values of one feature.
    """
    rows, ids = pd.factorize(nodes)
    codes, found = pd.factorize(features)
    columns, width, renumbered = _feature_columns(np.asarray(found, dtype=object))
    triples = pd.DataFrame({"row": rows, "column": columns[codes], "value": values})
    distinct = triples.drop_duplicates()
    twice = distinct.duplicated(["row", "column"]).to_numpy()
    if twice.any():
        row = distinct["row"].to_numpy()[twice.argmax()]
        raise DataError(f"{where}: node {ids[row]} has two values of one feature; keep one")
    matrix = sp.csr_array(
        (
            distinct["value"].to_numpy(dtype=np.float32),
            (distinct["row"].to_numpy(), distinct["column"].to_numpy()),
        ),
        shape=(len(ids), width),
    )
    repeated = len(triples) - len(distinct)
    return FeatureRows(np.asarray(ids), matrix, taken, (), repeated, renumbered)


def _feature_columns(found: Array) -> tuple[IntArray, int, int]:
    """The column of each feature, the number of columns, and as in ``Findings.renumbered``."""
    ids: Any = integers_if_all(found)
    if ids.dtype.kind == "i" and ids.min() >= 0 and ids.max() < CROWDED * len(ids):
        return ids, int(ids.max()) + 1, 0
    in_order, columns = np.unique(ids, return_inverse=True)
    return columns, len(in_order), len(in_order) if ids.dtype.kind == "i" else 0


def _numbers(column: pd.Series, where: str) -> Array | None:
    """The column as ``[k, d]`` numbers; ``None`` if it holds something else."""
    first = column.iloc[0]
    if isinstance(first, list | tuple | np.ndarray):
        return _stacked(column, where)
    if column.dtype.kind not in "biuf":
        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.isna().sum() > column.isna().sum():
            return None
        column = numbers
    missing = int(column.isna().sum())
    if missing == len(column):
        return None
    if missing:
        raise DataError(f"{where} lacks {missing} values; fill them in or remove the column")
    return np.asarray(column, dtype=np.float64)[:, None]


def _stacked(column: pd.Series, where: str) -> Array | None:
    """A column of lists as ``[k, d]``; ``None`` if they hold no numbers."""
    lengths = {np.size(value) for value in column}
    if len(lengths) > 1:
        raise DataError(f"{where} holds lists of different lengths ({sorted(lengths)[:3]}, ...)")
    stacked = np.stack([np.asarray(value).ravel() for value in column])
    return stacked if stacked.dtype.kind in "biuf" else None
