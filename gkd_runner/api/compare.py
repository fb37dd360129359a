"""Compare methods over all graphs of a table of runs."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from gkd_runner.results import method_comparison
from gkd_runner.results.frame import newest
from gkd_runner.results.method_comparison import MethodComparison
from gkd_runner.results.selection import select


def compare_methods(
    runs: pd.DataFrame, methods: Iterable[str] | None = None, inductive_part: str = "test_hidden"
) -> list[MethodComparison]:
    """Methods over all graphs: differences with intervals, ranks, performance profiles.

    There is one comparison per protocol, preset and calibration: over all settings, and in each if
    there are several.

    Args:
        runs: what ``load_runs`` or ``Result.to_dataframe`` returned, or several of the latter in
            one frame. A replica that comes twice counts once. Of each method the configuration is
            taken that tables show (``select``).
        methods: the methods to compare, over the cells in which all of them have run; by default
            those of the largest complete comparison (``shared_cells``).
        inductive_part: the test nodes that inductive accuracies are over: ``test_hidden``,
            ``test_observed`` or ``test``.

    Raises:
        ReportError: for a method without a run.
    """
    selected = select(newest(runs), inductive_part)
    return list(method_comparison.compare_methods(selected, methods))
