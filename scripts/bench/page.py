"""The figures of the documentation: tables as Markdown, written between two marks of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.results import Results
from bench.tables import grids, machine_text

START, END = "<!-- figures: ", "<!-- end of figures -->"


def markdown(results: Results) -> str:
    """The machine and all tables."""
    tables = [grid.markdown() for grid in grids(results)]
    return "\n\n".join([f"Measured on: {machine_text(results)}.", *tables])


def write_page(runs: Sequence[Results], page: Path) -> None:
    """Write the figures of each run between the marks, each under its own machine.

    Raises ``ValueError`` for a page without marks.
    """
    text = page.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    mark, _, rest = rest.partition("\n")
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{page} has no lines {START!r} and {END!r}")
    figures = "\n\n".join(map(markdown, runs))
    made = f"{before}{start}{mark}\n\n{figures}\n\n{end}{after}"
    page.write_text(made, encoding="utf-8")
