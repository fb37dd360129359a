"""The table of methods over all graphs of a group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gkd_runner.options.metrics import METRICS
from gkd_runner.reporting.table import Table, make_table
from gkd_runner.reporting.text import setting_text
from gkd_runner.results.compare import FEWEST_GRAPHS, Comparison, references
from gkd_runner.results.method_comparison import MethodComparison, several_graphs
from gkd_runner.results.selection import GROUP
from gkd_runner.results.verdict_text import interval_text
from gkd_runner.results.versus import Versus

TITLE = "Methods over all graphs"


def methods_table(comparison: Comparison, group: Mapping[str, str]) -> Table | None:
    """A row per method, in a block per setting."""
    here = comparison.selected
    here = here[(here[GROUP] == [group[name] for name in GROUP]).all(axis=1)]
    compared = several_graphs(here)
    present = {method for each in compared for method in each.cells.methods}
    bases = [name for name in references() if name in present]
    columns = ["rank", "score", *(name for base in [*bases, OTHER] for name in _columns(base))]
    metric = METRICS[comparison.metric].title
    named = {"score": metric}
    cells = (
        {"block": heading(each, comparison), "label": label, "column": named.get(column, column)}
        | cell
        for each in compared
        for label, row in _rows(each, bases)
        for column, cell in ({name: {} for name in columns} | row).items()
    )
    caption = CAPTION.format(metric=metric) + _few(compared)
    return make_table(TITLE, caption, cells, [named.get(column, column) for column in columns])


OTHER = "best other"

CAPTION = (
    "Over the cells (graph, setting and teacher) in which all methods of a block have run on the"
    " same seeds and splits. The rank is the average over graphs, by the mean {metric} over a"
    " graph's cells: methods whose ranks differ by no more than the critical difference are not"
    " told apart (Nemenyi's test). Differences are means over graphs of paired differences in"
    " points, with 95% intervals from a bootstrap that resamples graphs and, within them, seeds or"
    " splits. Columns with > have the probability that a run has a higher {metric} than one of"
    " the other method in the same cell, ties half, and the cells won/tied/lost by a paired t test"
    " (p < 0.05). The method with the best mean is bold if its interval to the best other one"
    " excludes 0."
)


def _few(compared: Sequence[MethodComparison]) -> str:
    if all(len(each.cells.graphs) >= FEWEST_GRAPHS for each in compared):
        return ""
    return f" Fewer than {FEWEST_GRAPHS} graphs have neither tests nor intervals."


def heading(each: MethodComparison, comparison: Comparison) -> str:
    """The setting, what is compared and what was left out."""
    cells = each.cells
    left_out = [f"{name} (ran in {_counted(count)})" for name, count in cells.left_out.items()]
    left_out += [f"{_counted(cells.incomplete)} without all methods"] if cells.incomplete else []
    parts = [over_text(each, comparison), counts_text(each)]
    return "; ".join([*parts, *([f"left out: {', '.join(left_out)}"] if left_out else [])])


def over_text(each: MethodComparison, comparison: Comparison) -> str:
    """The setting, and the nodes that its scores are over."""
    setting = each.names["setting"]
    return setting_text(setting, comparison.part(setting))


def counts_text(each: MethodComparison) -> str:
    """``6 graphs, 24 cells, 120 pairs``."""
    cells = each.cells
    return f"{len(cells.graphs)} graphs, {_counted(len(cells.cells))}, {cells.units} pairs"


def _counted(cells: int) -> str:
    return f"{cells} cell{'' if cells == 1 else 's'}"


def _rows(each: MethodComparison, bases: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The label and cells of each method, and below them the tests of the ranks."""
    for method in each.cells.methods:
        yield method, _cells(each, method, bases)
    tests = each.ranking
    if not math.isnan(tests.p):
        yield "critical difference", {"rank": {"text": f"{tests.critical_difference:.2f}"}}
        yield "Friedman test, p", {"rank": {"text": p_text(tests.p)}}


def p_text(p: float) -> str:
    """``0.0498``, or ``<0.0001``."""
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def _columns(base: str) -> tuple[str, str]:
    return f"- {base}", f"> {base}"


def _cells(each: MethodComparison, method: str, bases: Sequence[str]) -> dict[str, dict[str, Any]]:
    other = each.best_other(method)
    against = {base: each.versus[method, base] for base in bases if (method, base) in each.versus}
    best = next(iter(each.means)) == method and each.versus[method, other].sign > 0
    return {
        "rank": {"text": f"{each.ranking.ranks[method]:.2f}"},
        "score": {"text": f"{100 * each.means[method]:.2f}", "mark": "best" if best else ""},
        **{name: cell for base, gap in against.items() for name, cell in _versus(base, gap)},
        **dict(_versus(OTHER, each.versus[method, other], f" {other}")),
    }


def _versus(base: str, gap: Versus, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    texts = (
        interval_text(gap.difference) + name,
        f"{gap.improvement.mean:.2f} ({gap.won}/{gap.tied}/{gap.lost})",
    )
    yield from zip(_columns(base), ({"text": text} for text in texts), strict=True)
