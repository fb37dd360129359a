"""The arguments that gkd-tables and gkd-report share: sources, conditions, metric, test nodes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gkd_runner.common.errors import nearest, on_one_line
from gkd_runner.options.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from gkd_runner.results.compare import Comparison


def make_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """A parser of sources, ``--where``, ``--metric`` and ``--accuracy``."""
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
        "--metric",
        choices=tuple(METRICS),
        default="accuracy",
        help="what is compared (default: accuracy); roc_auc is of graphs with two classes",
    )
    parser.add_argument(
        "--accuracy",
        choices=tuple(PARTS),
        default="test_hidden",
        help="the test nodes that inductive scores are over: hidden ones (the default),"
        " observed ones or all",
    )
    return parser


def compared(arguments: argparse.Namespace) -> Comparison:
    """The runs asked for, compared. Raises ``ReportError`` where none has the metric."""
    from gkd_runner.results.compare import compare
    from gkd_runner.results.frame import ReportError

    metric = arguments.metric
    comparison = compare(load(arguments), arguments.accuracy, metric)
    if metric != "accuracy" and comparison.selected["student_score"].isna().all():
        others = "graphs of more than two classes have none, and " * METRICS[metric].two_classes
        raise ReportError(
            f"--metric {metric}: no run has it; {others}runs of earlier versions recorded none:"
            " run them again, or leave --metric out"
        )
    return comparison


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
