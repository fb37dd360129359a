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
from gkd_runner.results.verdict_overall_text import overall_sentences, winner_text
from gkd_runner.results.verdict_text import (
    REASONS,
    faster_text,
    few_nodes_text,
    interval_text,
    mean_text,
    nodes_text,
)


def overall_table(overall: Overall) -> Table | None:
    """The verdict on all graphs in sentences, and a row per graph, in blocks of one setting."""
    metric = overall.graphs[0].metric
    made = _table(
        "Should I distil?", overall.graphs, _setting, _caption("the teachers named", metric)
    )
    return made and replace(made, lead=tuple(overall_sentences(overall)))


def verdict_table(verdicts: Sequence[Verdict]) -> Table | None:
    """A row per graph, in blocks of one setting and teacher."""
    caption = _caption("one teacher", verdicts[0].metric)
    return _table("Should I distil? With each teacher", verdicts, _block, caption)


def _caption(teachers: str, metric: str) -> str:
    base = baseline()
    return (
        f"Use: the method with the best mean over {teachers}, in a tie with those that a paired t"
        " test cannot tell from it (p >= 0.05). The best student has its test"
        f" {METRICS[metric].title} in %, mean ± population std over seeds, and its paired"
        f" differences in points with 95% t intervals (pairs), to {base} and to its own teacher;"
        f" fewer than {FEWEST_PAIRS} pairs, or equal ones, have no interval. The verdict goes by"
        f" the interval to {base}. Faster: time of the teacher for one node on the CPU over that of"
        " the student, where they were measured."
    )


def _table(title: str, verdicts: Sequence[Verdict], block: Any, caption: str) -> Table | None:
    columns = (
        "verdict", "use", "best student", "teachers", "nodes", f"- {baseline()}", "- teacher",
        "faster",
    )  # fmt: skip
    cells = (
        {"block": block(verdict), "label": verdict.names["dataset"], "column": column, **cell}
        for verdict in verdicts
        for column, cell in zip(columns, verdict_cells(verdict), strict=True)
    )
    return make_table(title, caption, cells, columns)


def _setting(verdict: Verdict) -> str:
    return setting_text(verdict.names["setting"], verdict.part)


def _block(verdict: Verdict) -> str:
    return f"{_setting(verdict)}; {verdict.names['teacher']} teacher"


def verdict_cells(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """The cells of a verdict's row."""
    best, shown = verdict.best, verdict.score
    yield {"text": verdict.decision, "notes": tuple(dict.fromkeys(_notes(verdict)))}
    yield {"text": winner_text(verdict)}
    yield {"text": f"{best.method} {mean_text(shown.mean, shown.std, shown.n)}" if best else ""}
    yield {"text": verdict.names["teacher"]}
    yield {"text": nodes_text(verdict.nodes)}
    yield {"text": _gap(verdict.over_baseline)}
    yield {"text": _gap(verdict.over_teacher)}
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
