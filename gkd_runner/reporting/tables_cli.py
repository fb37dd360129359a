"""Console script ``gkd-tables``: compare finished runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from gkd_runner.console import make_console
from gkd_runner.errors import GkdError, nearest
from gkd_runner.reporting.render import html_page, latex, markdown, terminal
from gkd_runner.reporting.rows import ReportError, Row, csv_text, read_rows
from gkd_runner.reporting.tables import documents
from gkd_runner.reporting.view import PARTS
from gkd_runner.sweeps.folder import read_failures


def main() -> None:
    """Print the tables, or write them with ``--out``."""
    arguments = _parser().parse_args()
    try:
        _run(arguments)
    except GkdError as error:
        sys.exit(f"gkd-tables: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gkd-tables",
        description="Compare finished runs: accuracies, paired differences, published figures.",
    )
    parser.add_argument(
        "sources",
        nargs="*",
        type=Path,
        default=[Path("outputs")],
        help="output folders of gkd-train, or CSV files that --out wrote (default: outputs)",
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE,...",
        help="keep only these runs, as in --where dataset=cora,citeseer --where preset=common",
    )
    parser.add_argument(
        "--accuracy",
        choices=tuple(PARTS),
        default="ind",
        help="inductive: over the hidden (ind), the observed (tran) or all (prod) test nodes",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write tables.md, tables.tex, tables.html and runs.csv into this folder",
    )
    return parser


def _run(arguments: argparse.Namespace) -> None:
    rows = keep(read_rows(arguments.sources), arguments.where)
    if not rows:
        where = ", ".join(map(str, arguments.sources))
        raise ReportError(f"no finished runs in {where}; run gkd-train, or loosen --where")
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
    folders = [source for source in sources if source.is_dir()]
    runs_at = os.path.relpath(folders[0] / "runs", out) if folders else None
    texts = {
        "tables.md": markdown(found),
        "tables.tex": latex(found),
        "tables.html": html_page(found, rows, runs_at),
        "runs.csv": csv_text(rows),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def failed_cells(sources: Iterable[Path]) -> list[tuple[str, ...]]:
    """Dataset, protocol, setting, teacher, method and preset of every failure on record."""
    names = ("dataset", "protocol", "setting", "teacher", "method", "preset")
    return [
        tuple(failure.identity[name] for name in names)
        for source in sources
        for folder in sorted(source.glob("sweeps/*"))
        for failure in read_failures(folder)
    ]


def keep(rows: Iterable[Row], conditions: Iterable[str]) -> list[Row]:
    """The rows that meet every ``column=value,value``. Raises ``ReportError`` for a bad column."""
    kept = list(rows)
    columns = [field.name for field in fields(Row)]
    for condition in conditions:
        column, equals, wanted = condition.partition("=")
        if not equals or column not in columns:
            raise ReportError(
                f"--where {condition}: not COLUMN=VALUE with a column of runs.csv"
                f"{nearest(column, columns)} (columns: {', '.join(columns[:9])}, ...)"
            )
        kept = [row for row in kept if str(getattr(row, column)) in wanted.split(",")]
    return kept


if __name__ == "__main__":
    main()
