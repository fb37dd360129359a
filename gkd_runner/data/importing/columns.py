"""Find the columns of tables by the names that people give them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gkd_runner.common.errors import DataError, nearest, on_one_line
from gkd_runner.data.importing.names import ENDS, FEATURES, IDS, INDEX, LABELS, VALUES
from gkd_runner.data.importing.tables import Sheet

NO_HEADER = ("0", "1")
"""The first two columns of a table without a header."""


@dataclass(frozen=True)
class Columns:
    """Columns that the user names; ``None`` where they are to be found."""

    id: str | None = None
    label: str | None = None
    ends: tuple[str, str] | None = None

    @property
    def as_text(self) -> tuple[str, ...]:
        """All columns that may hold ids or labels, which are read as they are written."""
        return (
            *(name for pair in (*ENDS, NO_HEADER, self.ends or ()) for name in pair),
            *(name for name in (self.id, self.label) if name is not None),
            *IDS,
            *LABELS,
            *FEATURES,
        )


def find_ends(sheet: Sheet, given: tuple[str, str] | None) -> tuple[str, str]:
    """The two columns of an edge list.

    Raises:
        DataError: if they are not there or not clear.
    """
    if given is not None:
        first, second = (_existing(sheet, name) for name in given)
        return first, second
    lower = {str(name).lower(): str(name) for name in sheet.table.columns}
    found = [(lower[a], lower[b]) for a, b in ENDS if a in lower and b in lower]
    if len(found) == 1:
        return found[0]
    names = [str(name) for name in sheet.table.columns]
    if not found and (len(names) == 2 or names[:2] == list(NO_HEADER)):
        return names[0], names[1]
    raise DataError(
        f"{sheet.where}: {'two pairs of columns' if found else 'no two columns'} look like the"
        " ends of edges; name them: --edge-columns A,B (in Python edge_columns=(A, B))"
        f"{_has(sheet.table)}"
    )


def are_known(ends: tuple[str, str]) -> bool:
    """True if these are usual names of the ends of edges."""
    return (ends[0].lower(), ends[1].lower()) in ENDS


def find_label(sheet: Sheet, given: str | None) -> str:
    """The column of labels. Raises ``DataError`` if it is not there or not clear."""
    if given is not None:
        return _existing(sheet, given)
    found = _named(sheet.table, LABELS)
    if len(found) == 1:
        return found[0]
    several = f"the columns {' and '.join(found)} look" if found else "no column looks"
    raise DataError(
        f"{sheet.where}: {several} like the labels; name it:"
        f" --label COLUMN (in Python label_column=){_has(sheet.table)}"
    )


def find_ids(sheet: Sheet, given: str | None, ends: pd.Index, label: str | None = None) -> str:
    """The column of node ids: of several that look like it, the one that holds all ``ends``.

    Args:
        sheet: a table of nodes or of features.
        given: the column that the user names.
        ends: the ids of all ends of edges, as text.
        label: the column of labels, which is none of ids.

    Raises:
        DataError: if it is not there or not clear.
    """
    if given is not None:
        return _existing(sheet, given)
    found = [name for name in _named(sheet.table, IDS) if name != label]
    if len(found) > 1:
        found = [name for name in found if ends.isin(as_text(sheet.table[name])).all()] or found
    if len(found) > 1:  # row numbers that happen to be the ids as well
        found = [name for name in found if name != INDEX]
    if not found:
        first = next(str(name) for name in sheet.table.columns if name != label)
        found = [first] if ends.isin(as_text(sheet.table[first])).any() else []
    if len(found) == 1:
        return found[0]
    several = f"the columns {' and '.join(found)} look" if found else "no column looks"
    raise DataError(
        f"{sheet.where}: {several} like the nodes' ids; name it:"
        f" --id COLUMN (in Python id_column=){_has(sheet.table)}"
    )


def find_long(table: pd.DataFrame) -> tuple[str, str | None] | None:
    """The columns of feature ids and of values, if each row holds one feature of one node."""
    features = _named(table, FEATURES)
    values = _named(table, VALUES)
    if len(features) == 1 and len(values) <= 1 and len(table.columns) == 2 + len(values):
        return features[0], (values[0] if values else None)
    return None


def as_text(column: pd.Series) -> pd.Series:
    """Ids as text: whole numbers without a decimal point, missing ones as NaN."""
    if column.dtype.kind == "f" and (column.isna() | (column % 1 == 0)).all():
        column = column.astype("Int64")
    text = column.astype(object).map(str, na_action="ignore").astype(object)
    return text.where(text.notna(), np.nan)


def _existing(sheet: Sheet, name: str) -> str:
    if name not in sheet.table.columns:
        near = nearest(name, map(str, sheet.table.columns))
        raise DataError(f"{sheet.where}: no column {name}{near}{_has(sheet.table)}")
    return name


def _named(table: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    return [str(column) for column in table.columns if str(column).lower() in names]


def _has(table: pd.DataFrame) -> str:
    return f" (columns: {on_one_line(', '.join(map(str, table.columns)))})"
