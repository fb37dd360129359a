"""The table of verdicts: whether to distil, by graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gkd_runner.reporting.table import Table, make_table
from gkd_runner.reporting.text import accuracy_text, setting_text
from gkd_runner.results.compare import FEWEST_PAIRS, SIGNIFICANT, Difference, baseline
from gkd_runner.results.scores import METRIC_NAMES
from gkd_runner.results.verdict import FEW_NODES, Verdict
from gkd_runner.results.verdict_text import (
    REASONS,
    faster_text,
    few_nodes_text,
    interval_text,
    nodes_text,
    points_text,
)


def verdict_table(verdicts: Sequence[Verdict]) -> Table | None:
    """A row per graph, in blocks of one setting and teacher."""
    base = baseline()
    caption = (
        "Whether to distil: the method with the best mean, and its paired differences in points"
        f" with 95% t intervals (pairs) to {base}, to its own teacher and to the next method. Fewer"
        f" than {FEWEST_PAIRS} pairs, or equal ones, have no interval. The verdict goes by the"
        f" interval to {base}. The last column compares times to answer for one node on the CPU,"
        " where they were measured; * where a paired t test has p < 0.05."
    )
    metric = METRIC_NAMES[verdicts[0].metric] if verdicts else ""
    columns = ("verdict", "best", metric, "nodes", f"- {base}", "- teacher", "- next", "faster")
    cells = (
        {"block": _block(verdict), "label": verdict.names["dataset"], "column": column, **cell}
        for verdict in verdicts
        for column, cell in zip(columns, _cells(verdict), strict=True)
    )
    return make_table("Should I distil?", caption, cells, columns)


def _block(verdict: Verdict) -> str:
    setting = setting_text(verdict.names["setting"], verdict.part)
    return f"{setting}; {verdict.names['teacher']} teacher"


def _cells(verdict: Verdict) -> Iterator[dict[str, Any]]:
    yield {"text": verdict.decision, "notes": tuple(dict.fromkeys(_notes(verdict)))}
    best, shown = verdict.best, verdict.accuracy
    yield {"text": best.method if best else f"only {shown.method}"}
    yield {"text": accuracy_text(shown.mean, shown.std, shown.n)}
    yield {"text": nodes_text(verdict.nodes)}
    yield {"text": _gap(verdict.over_baseline)}
    yield {"text": _gap(verdict.over_teacher)}
    yield {"text": _over_next(verdict)}
    yield {"text": faster_text(verdict.speed_up) if verdict.speed_up else ""}


def _notes(verdict: Verdict) -> Iterator[str]:
    """The reason and the warnings; those whose numbers stand in the row, without numbers."""
    for reason in (verdict.reason, *verdict.warnings):
        if reason in REASONS:
            yield REASONS[reason]
    if verdict.apart:
        yield f"the options of best and {baseline()} differ: {', '.join(verdict.apart)}"
    if FEW_NODES in verdict.warnings:
        yield few_nodes_text(verdict)


def _gap(gap: Difference | None) -> str:
    return f"{interval_text(gap)} ({gap.n})" if gap else ""


def _over_next(verdict: Verdict) -> str:
    """The name of the next method, with a star if the best is significantly better."""
    if len(verdict.methods) < 2:
        return ""
    gap = verdict.over_next
    star = "*" if gap and gap.mean > 0 and gap.p < SIGNIFICANT else ""
    points = f" {points_text(gap.mean)}{star}" if gap else ""
    return f"{verdict.methods[1]}{points}"
