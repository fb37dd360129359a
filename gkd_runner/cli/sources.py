"""The arguments that gkd-tables and gkd-report share: sources, conditions, test nodes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gkd_runner.common.errors import nearest, on_one_line

if TYPE_CHECKING:
    import pandas as pd


def make_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """A parser of sources, ``--where`` and ``--accuracy``."""
    from gkd_runner.reporting.text import PARTS

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
        default="test_hidden",
        help="the test nodes that inductive accuracies are over: hidden ones (the default),"
        " observed ones or all",
    )
    return parser


def load(arguments: argparse.Namespace) -> pd.DataFrame:
    """The runs asked for. Raises ``ReportError`` when there are none."""
    from gkd_runner.results.frame import ReportError, load_runs

    runs = keep(load_runs(arguments.sources), arguments.where)
    if runs.empty:
        where = ", ".join(map(str, arguments.sources))
        raise ReportError(f"no finished runs in {where}; run gkd-train, or loosen --where")
    return runs


def keep(runs: pd.DataFrame, conditions: Iterable[str]) -> pd.DataFrame:
    """The runs that meet every ``column=value,value``.

    Raises ``ReportError`` for an unknown column and for a value that no run has.
    """
    from gkd_runner.results.frame import COLUMNS, ReportError

    columns = [name for name, kind in COLUMNS.items() if kind != "json"]
    for condition in conditions:
        column, equals, wanted = condition.partition("=")
        if not equals or column not in columns:
            raise ReportError(
                f"--where {condition}: not COLUMN=VALUE with a column of runs.csv"
                f"{nearest(column, columns)} (columns: {', '.join(columns[:9])}, ...)"
            )
        values = runs[column].astype(str)
        known = set(values)
        unknown = set(wanted.split(",")) - known
        if unknown and known:
            raise ReportError(
                f"--where {condition}: no run has {column}={', '.join(sorted(unknown))}; there are"
                f" {on_one_line(', '.join(sorted(known)))}"
            )
        runs = runs[values.isin(wanted.split(","))]
    return runs
