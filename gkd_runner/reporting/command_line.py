"""What the console scripts that read finished runs have in common: sources and conditions."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

from gkd_runner.common.errors import explain, nearest, on_one_line
from gkd_runner.reporting.rows import ReportError, Row, read_rows
from gkd_runner.reporting.view import PARTS
from gkd_runner.sweeps.folder import Failure, read_failures


def make_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """A parser of sources, ``--where`` and ``--accuracy``."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument(
        "sources",
        nargs="*",
        type=Path,
        default=[Path("outputs")],
        help="output folders of gkd-train, or CSV files that gkd-tables --out wrote (default:"
        " outputs)",
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE,...",
        help="keep only these runs, as in --where dataset=cora,citeseer --where preset=common; the"
        " figures of studies are not narrowed",
    )
    parser.add_argument(
        "--accuracy",
        choices=tuple(PARTS),
        default="ind",
        help="inductive: over the hidden (ind), the observed (tran) or all (prod) test nodes",
    )
    return parser


def answer(parser: argparse.ArgumentParser, action: Callable[[argparse.Namespace], object]) -> None:
    """Act on the command line; a mistake is told in a line."""
    arguments = parser.parse_args()
    try:
        action(arguments)
    except Exception as error:
        text = explain(error)
        if text is None:
            raise
        sys.exit(f"{parser.prog}: {text}")


def load(arguments: argparse.Namespace) -> list[Row]:
    """The rows asked for. Raises ``ReportError`` when there are none."""
    rows = keep(read_rows(arguments.sources), arguments.where)
    if not rows:
        where = ", ".join(map(str, arguments.sources))
        raise ReportError(f"no finished runs in {where}; run gkd-train, or loosen --where")
    return rows


def keep(rows: Iterable[Row], conditions: Iterable[str]) -> list[Row]:
    """The rows that meet every ``column=value,value``.

    Raises ``ReportError`` for a column that is none and for a value that no row has.
    """
    kept = list(rows)
    columns = [field.name for field in fields(Row)]
    for condition in conditions:
        column, equals, wanted = condition.partition("=")
        if not equals or column not in columns:
            raise ReportError(
                f"--where {condition}: not COLUMN=VALUE with a column of runs.csv"
                f"{nearest(column, columns)} (columns: {', '.join(columns[:9])}, ...)"
            )
        there = {str(getattr(row, column)) for row in kept}
        unknown = set(wanted.split(",")) - there
        if unknown and there:
            raise ReportError(
                f"--where {condition}: no run has {column}={', '.join(sorted(unknown))}; there are"
                f" {on_one_line(', '.join(sorted(there)))}"
            )
        kept = [row for row in kept if str(getattr(row, column)) in wanted.split(",")]
    return kept


def failures(sources: Iterable[Path]) -> list[Failure]:
    """Every failure of a sweep that is on record."""
    return [
        failure
        for source in sources
        for folder in sorted(source.glob("sweeps/*"))
        for failure in read_failures(folder)
    ]


def failed_cells(sources: Iterable[Path]) -> list[tuple[str, ...]]:
    """Dataset, protocol, setting, teacher, method and preset of every failure on record."""
    names = ("dataset", "protocol", "setting", "teacher", "method", "preset")
    return [tuple(found.identity[name] for name in names) for found in failures(sources)]


def folders_of(rows: Iterable[Row], out: Path, sources: Iterable[Path]) -> dict[str, str]:
    """The path from folder ``out`` to each run's folder; runs known from a CSV alone have none."""
    roots = [source / "runs" for source in sources if source.is_dir()]
    return {
        run: Path(os.path.relpath(root / run, out)).as_posix()
        for run in {row.run for row in rows}
        for root in roots
        if (root / run).is_dir()
    }
