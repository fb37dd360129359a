"""Console script ``gkd-tables``: compare finished runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gkd_runner.common.console import make_console
from gkd_runner.reporting.command_line import answer, failed_cells, folders_of, load, make_parser
from gkd_runner.reporting.render import html_page, latex, markdown, terminal
from gkd_runner.reporting.rows import Row, csv_text
from gkd_runner.reporting.tables import documents

WIDE = 200
"""Characters of a line where there is no terminal to fit."""


def main() -> None:
    """Print the tables, or write them with ``--out``."""
    answer(_parser(), _run)


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "gkd-tables",
        "Compare finished runs: accuracies, paired differences, published figures.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write tables.md, tables.tex, tables.html and runs.csv into this folder",
    )
    return parser


def _run(arguments: argparse.Namespace) -> None:
    rows = load(arguments)
    if arguments.out:
        for path in write(rows, arguments.out, arguments.sources, arguments.accuracy):
            print(path)
        return
    found = documents(rows, arguments.accuracy, failed_cells(arguments.sources))
    console = make_console()
    width = console.width if console.is_terminal else WIDE
    Console(width=width, highlight=False).print(terminal(found, width))


def write(
    rows: Sequence[Row], out: Path, sources: Sequence[Path], inductive_part: str = "ind"
) -> list[Path]:
    """Write all forms of the tables of ``rows`` into folder ``out``; the files written."""
    found = documents(rows, inductive_part, failed_cells(sources))
    texts = {
        "tables.md": markdown(found),
        "tables.tex": latex(found),
        "tables.html": html_page(found, rows, folders_of(rows, out, sources)),
        "runs.csv": csv_text(rows),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


if __name__ == "__main__":
    main()
