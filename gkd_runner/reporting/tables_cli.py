"""Console script ``gkd-tables``: compare finished runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gkd_runner.console import make_console
from gkd_runner.reporting.command_line import answer, failed_cells, load, make_parser, runs_from
from gkd_runner.reporting.render import html_page, latex, markdown, terminal
from gkd_runner.reporting.rows import Row, csv_text
from gkd_runner.reporting.tables import documents


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
    make_console().print(terminal(found))


def write(
    rows: Sequence[Row], out: Path, sources: Sequence[Path], inductive_part: str = "ind"
) -> list[Path]:
    """Write all forms of the tables of ``rows`` into folder ``out``; the files written."""
    found = documents(rows, inductive_part, failed_cells(sources))
    texts = {
        "tables.md": markdown(found),
        "tables.tex": latex(found),
        "tables.html": html_page(found, rows, runs_from(out, sources)),
        "runs.csv": csv_text(rows),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


if __name__ == "__main__":
    main()
