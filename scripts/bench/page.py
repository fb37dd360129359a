"""The figures of the documentation: tables as Markdown, written between two marks of a page."""

from __future__ import annotations

from pathlib import Path

from bench.results import Results
from bench.tables import grids, machine_text

START, END = "<!-- figures: ", "<!-- end of figures -->"


def markdown(results: Results) -> str:
    """The machine and all tables."""
    tables = [grid.markdown() for grid in grids(results)]
    return "\n\n".join([f"Measured on: {machine_text(results)}.", *tables])


def write_page(results: Results, page: Path) -> None:
    """Replace what stands between the marks. Raises ``ValueError`` for a page without them."""
    text = page.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    mark, _, rest = rest.partition("\n")
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{page} has no lines {START!r} and {END!r}")
    made = f"{before}{start}{mark}\n\n{markdown(results)}\n\n{end}{after}"
    page.write_text(made, encoding="utf-8")
