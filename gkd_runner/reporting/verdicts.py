"""The tables of verdicts: whether to distil, with which method, by graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from gkd_runner.options.metrics import METRICS
from gkd_runner.reporting.table import Table, make_table
from gkd_runner.reporting.text import setting_text
from gkd_runner.results.compare import FEWEST_PAIRS, Difference, baseline
from gkd_runner.results.verdict import FEW_NODES, Verdict
from gkd_runner.results.verdict_overall import Overall
from gkd_runner.results.verdict_overall_text import (
    others_text,
    overall_sentences,
    student_text,
    winner_text,
)
from gkd_runner.results.verdict_text import (
    CLEARLY_FASTER_TEXT,
    LOOKED_UP,
    REASONS,
    few_nodes_text,
    interval_text,
    mean_text,
    nodes_text,
    speed_text,
)


def overall_table(overall: Overall) -> Table | None:
    """The verdict on all graphs of one setting in sentences, and a row per graph."""
    first = overall.graphs[0]
    title = f"Should I distil? ({_setting(first)})"
    caption = _caption("the teachers named", first.metric)
    made = _table(title, overall.graphs, lambda verdict: "", caption)
    return made and replace(made, lead=tuple(overall_sentences(overall)))


def verdict_table(verdicts: Sequence[Verdict]) -> Table | None:
    """A row per graph, in blocks of one setting and teacher."""
    timed = any(
        verdict.names["setting"] == "inductive" and verdict.speed_up for verdict in verdicts
    )
    caption = _caption("one teacher", verdicts[0].metric) + (f" {LOOKED_UP}" if timed else "")
    return _table("Should I distil? With each teacher", verdicts, _block, caption)


def _caption(teachers: str, metric: str) -> str:
    base = baseline()
    return (
        f"Best mean: the method with the best mean over {teachers}, and its test"
        f" {METRICS[metric].title} in %, mean ± population std over seeds. Not told apart from it:"
        " the methods that are, by mean, before the first that a paired t test finds worse"
        " (p < 0.05, without a correction for the number of tests). Differences are of the best"
        f" student to {base} and to its own teacher, in points, with 95% t intervals (pairs); the"
        f" student is named where {base} has the best mean. Fewer than {FEWEST_PAIRS} pairs, or"
        f" equal ones, have no interval. The verdict goes by the interval to {base}. Faster: time"
        " of the teacher for one node on the CPU over that of the best student, and over that of a"
        f" method not told apart from it that is {CLEARLY_FASTER_TEXT}, as measured in their runs."
    )


def _table(title: str, verdicts: Sequence[Verdict], block: Any, caption: str) -> Table | None:
    """A row per verdict, without the columns that are empty in all rows."""
    columns = (
        "verdict", "best mean", "not told apart from it", "teachers", "nodes",
        f"- {baseline()}", "- teacher", "faster",
    )  # fmt: skip
    cells = [
        {"block": block(verdict), "label": verdict.names["dataset"], "column": column, **cell}
        for verdict in verdicts
        for column, cell in zip(columns, verdict_cells(verdict), strict=True)
    ]
    filled = {cell["column"] for cell in cells if cell["text"]}
    return make_table(title, caption, cells, [name for name in columns if name in filled])


def _setting(verdict: Verdict) -> str:
    return setting_text(verdict.names["setting"], verdict.part)


def _block(verdict: Verdict) -> str:
    return f"{_setting(verdict)}; {verdict.names['teacher']} teacher"


def verdict_cells(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """The cells of a verdict's row."""
    first, student = verdict.leader, student_text(verdict)
    yield {"text": verdict.decision, "notes": tuple(dict.fromkeys(_notes(verdict)))}
    yield {"text": f"{winner_text(verdict)} {mean_text(first.mean, first.std, first.n)}"}
    yield {"text": others_text(verdict)}
    yield {"text": verdict.names["teacher"]}
    yield {"text": nodes_text(verdict.nodes)}
    yield {"text": _gap(student, verdict.over_baseline)}
    yield {"text": _gap(student, verdict.over_teacher)}
    yield {"text": speed_text(verdict)}


def _notes(verdict: Verdict) -> Iterator[str]:
    """The reason and the warnings; those whose numbers stand in the row, without numbers."""
    for reason in (verdict.reason, *verdict.warnings):
        if reason in REASONS:
            yield REASONS[reason]
    if verdict.apart:
        yield f"the options of best and {baseline()} differ: {', '.join(verdict.apart)}"
    if FEW_NODES in verdict.warnings:
        yield few_nodes_text(verdict)


def _gap(student: str, gap: Difference | None) -> str:
    return f"{student}{interval_text(gap)} ({gap.n})" if gap else ""
