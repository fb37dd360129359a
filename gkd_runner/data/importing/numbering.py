"""Ids of nodes, from several tables, as places 0 to n - 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import Ids, IntArray
from gkd_runner.data.importing.columns import as_text
from gkd_runner.data.importing.raw import Array
from gkd_runner.data.importing.tables import Sheet

_INTEGER = re.compile(r"0|-?[1-9]\d{0,17}")  # as Python writes it, and int64 holds it


@dataclass(frozen=True, eq=False)
class Numbering:
    """The places of all nodes.

    ``ids`` ``[n]`` are integers if all of them are. ``listed`` ``[k]`` and ``featured`` ``[f]``
    are the places of the rows of nodes and of features, ``ends`` ``[m, 2]`` those of edges.
    """

    ids: Ids
    listed: IntArray
    featured: IntArray
    ends: IntArray

    @property
    def count(self) -> int:
        return len(self.ids)

    def spread(self, values: Array, empty: Any) -> Array:
        """Values of the listed nodes ``[k]`` as values of all ``[n]``."""
        everywhere = np.full(self.count, empty, dtype=values.dtype)
        everywhere[self.listed] = values
        return everywhere


def ids_of(sheet: Sheet, column: str) -> Array:
    """The ids in a column, as texts. Raises ``DataError`` for a missing one."""
    text = as_text(sheet.table[column])
    missing = (text.isna() | (text == "")).to_numpy()
    if missing.any():
        raise DataError(
            f"{sheet.where}: column {column} has no id in row {int(missing.argmax()) + 1} of the"
            f" data ({int(missing.sum())} such rows)"
        )
    return np.asarray(text, dtype=object)


def number_nodes(listed: Array, featured: Array, ends: Array) -> Numbering:
    """Give each id a place.

    Integers 0 to n - 1 are their own places. Other ids stand in the order of ``listed`` (the rows
    of the table of nodes ``[k]``), then ``featured`` ``[f]``, then ``ends`` of edges ``[m, 2]``.
    """
    places, found = pd.factorize(np.concatenate([listed, featured, ends.ravel()]))
    ids = integers_if_all(np.asarray(found, dtype=object))
    count = len(ids)
    if ids.dtype.kind == "i" and ids.min() == 0 and ids.max() == count - 1:
        places, ids = ids[places], np.arange(count)
    cuts = [len(listed), len(listed) + len(featured)]
    of_nodes, of_features, of_ends = np.split(places.astype(np.int64), cuts)
    return Numbering(ids, of_nodes, of_features, of_ends.reshape(-1, 2))


def integers_if_all(texts: Array) -> Ids:
    """Distinct texts as int64 if each of them is an integer, else as they are."""
    if all(_INTEGER.fullmatch(text) for text in texts):
        return texts.astype(np.int64)
    return texts.astype(np.str_)


def check_distinct(ids: Array, sheet: Sheet, column: str) -> None:
    """Raise ``DataError`` if the ids of a table's rows are not all different."""
    repeated = pd.Series(ids).duplicated()
    if repeated.any():
        raise DataError(
            f"{sheet.where}: node {ids[repeated.to_numpy().argmax()]} has two rows in column"
            f" {column} ({int(repeated.sum())} such rows); keep one per node, or name another"
            " column: --id"
        )
