"""A table before it takes a form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

FIELDS = ("text", "mark", "notes", "runs")
"""The parts of a cell. ``mark`` is ``best``, ``second`` or empty; ``notes`` are sentences."""


@dataclass(frozen=True)
class Table:
    """Rows in blocks, with a title and a caption; ``lead`` has the sentences above them.

    ``cells`` has a row per row of the table, with the index levels ``row`` (its number),
    ``block`` (the heading above it) and ``label``. Its columns are pairs of one of ``FIELDS`` and
    the heading of a column.
    """

    title: str
    caption: str
    cells: pd.DataFrame
    lead: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The headings of the columns."""
        return list(self.cells["text"].columns)

    def footnotes(self) -> dict[str, str]:
        """The letter of each note, in order of appearance."""
        return lettered(note for notes in np.ravel(self.cells["notes"]) for note in notes)

    def written(self, write: Callable[[str, str, str, Sequence[str]], Any]) -> pd.DataFrame:
        """Each cell as ``write`` forms it from its text, mark, footnote letters and runs."""
        letters = self.footnotes()

        def cell(text: str, mark: str, notes: Sequence[str], runs: Sequence[str]) -> Any:
            return write(text, mark, ",".join(letters[note] for note in notes), runs)

        written = {
            column: list(map(cell, *(self.cells[field, column] for field in FIELDS)))
            for column in self.columns
        }
        return pd.DataFrame(written, index=self.cells.index.droplevel("row"))


def make_table(
    title: str, caption: str, cells: Iterable[Mapping[str, Any]], columns: Sequence[str]
) -> Table | None:
    """The table of ``cells``; ``None`` if there are none.

    Each cell names its ``block``, ``label`` and ``column`` and has some of ``FIELDS``. Cells of one
    block and label are one row, unless they name different ``row`` numbers.
    """
    empty = {"row": 0, "text": "", "mark": "", "notes": (), "runs": ()}
    frame = pd.DataFrame([empty | dict(cell) for cell in cells])
    if frame.empty:
        return None
    by_block = np.argsort(frame.groupby("block", sort=False).ngroup(), kind="stable")
    frame = frame.iloc[by_block]
    frame["row"] = frame.groupby(["block", "label", "row"], sort=False).ngroup()
    wide = frame.pivot(index=["row", "block", "label"], columns="column", values=list(FIELDS))
    in_order = pd.MultiIndex.from_product([FIELDS, columns])
    return Table(title, caption, wide.reindex(columns=in_order))


def lettered(notes: Iterable[str]) -> dict[str, str]:
    """The letter of each distinct note: ``a`` to ``z``, then ``aa`` and so on."""
    return {note: _letter(number) for number, note in enumerate(dict.fromkeys(notes))}


def _letter(number: int) -> str:
    prefix = _letter(number // 26 - 1) if number >= 26 else ""
    return prefix + chr(ord("a") + number % 26)
