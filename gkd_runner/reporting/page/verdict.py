"""The verdict that the page opens with: sentences and a line per graph, in each setting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from gkd_runner.reporting.methods_table import counts_text
from gkd_runner.reporting.text import PARTS, group_name
from gkd_runner.results.compare import Comparison, Difference, baseline
from gkd_runner.results.method_comparison import MethodComparison
from gkd_runner.results.selection import TEACHERS, in_order
from gkd_runner.results.verdict import Verdict
from gkd_runner.results.verdict_overall import Overall, overalls
from gkd_runner.results.verdict_overall_text import (
    others_text,
    overall_sentences,
    student_text,
    winner_text,
)
from gkd_runner.results.verdict_text import (
    REASONS,
    listed,
    mean_text,
    points_text,
    speed_text,
)


def verdict_parts(comparison: Comparison) -> list[dict[str, Any]]:
    """Each group's name and its verdict in each setting."""
    groups: dict[str, list[Overall]] = {}
    for overall in overalls(comparison):
        groups.setdefault(group_name(overall.names), []).append(overall)
    return [
        {"group": group, "settings": list(map(_part, of_settings)), **_columns(of_settings)}
        for group, of_settings in groups.items()
    ]


def _part(overall: Overall) -> dict[str, Any]:
    """One setting: its sentences, a line per graph, and a line per method."""
    methods = overall.methods if overall.methods and overall.compared > 1 else None
    taught = dict.fromkeys(verdict.names["teacher"] for verdict in overall.graphs)
    return {
        "setting": overall.names["setting"],
        "heading": f"{_runs(overall, _teachers(overall))}, {_nodes(overall)}",
        "sentences": overall_sentences(overall),
        "graphs": [_line(verdict, name_teachers=len(taught) > 1) for verdict in overall.graphs],
        "methods": list(_methods(methods, overall.graphs)) if methods else [],
        "compared": f"{_runs(overall, methods.cells.teachers)}: {counts_text(methods)}"
        if methods
        else "",
    }


def _columns(of_settings: Sequence[Overall]) -> dict[str, bool]:
    """True for each column that some line fills; ``arriving`` if speeds are of inductive runs."""
    graphs = [verdict for overall in of_settings for verdict in overall.graphs]
    inductive = [verdict for verdict in graphs if verdict.names["setting"] == "inductive"]
    methods = [overall.methods for overall in of_settings if overall.compared > 1]
    return {
        "level": any(others_text(verdict) for verdict in graphs),
        "plain": any(verdict.over_baseline for verdict in graphs),
        "taught": any(verdict.over_teacher for verdict in graphs),
        "timed": any(verdict.speed_up for verdict in graphs),
        "arriving": any(verdict.speed_up for verdict in inductive),
        "over": any(baseline() in each.means for each in methods if each),
    }


def _runs(overall: Overall, teachers: Sequence[str]) -> str:
    """``Inductive runs, gcn and sage teachers``."""
    named = listed(in_order(teachers, TEACHERS))
    return f"{overall.names['setting'].capitalize()} runs, {named} teachers"


def _teachers(overall: Overall) -> list[str]:
    """The teachers of any graph; a verdict over several names them with commas."""
    return [name for verdict in overall.graphs for name in verdict.names["teacher"].split(", ")]


def _nodes(overall: Overall) -> str:
    """``200 hidden nodes``, or ``500 to 1,000 test nodes`` where graphs or splits differ."""
    counts = [count for verdict in overall.graphs for count in verdict.nodes]
    ends = dict.fromkeys((min(counts), max(counts)))
    part = PARTS[overall.graphs[0].part].removeprefix("all ")
    return f"{' to '.join(f'{count:,}' for count in ends)} {part}"


def _line(verdict: Verdict, *, name_teachers: bool) -> dict[str, Any]:
    return {
        "dataset": verdict.names["dataset"],
        "teachers": verdict.names["teacher"] if name_teachers else "",
        "decision": verdict.decision,
        "reason": REASONS.get(verdict.reason, ""),
        "best": winner_text(verdict),
        "level": others_text(verdict).split(", "),
        "score": mean_text(verdict.leader.mean, verdict.leader.std, verdict.leader.n),
        "gains": [_gain(verdict, gap) for gap in (verdict.over_baseline, verdict.over_teacher)],
        "faster": speed_text(verdict).split("; "),
    }


def _methods(methods: MethodComparison, graphs: Sequence[Verdict]) -> Iterator[dict[str, Any]]:
    """A line per method over all graphs, the best mean first; costs are medians over graphs."""
    shared = [verdict for verdict in graphs if verdict.costs.keys() >= set(methods.means)]
    for name, score in methods.means.items():
        base, other = baseline(), methods.best_other(name)
        plain = methods.versus.get((name, base))
        yield {
            "method": name,
            "rank": f"{methods.ranking.ranks[name]:.2f}",
            "score": f"{100 * score:.2f}",
            "over": gap_parts(plain.difference._asdict()) if plain else ("", ""),
            "counts": f"{plain.won} / {plain.tied} / {plain.lost}" if plain else "",
            "other": other,
            "ahead": gap_parts(methods.versus[name, other].difference._asdict()),
            "faster": _median([verdict.costs[name].speed_up for verdict in shared]),
            "training": _median([verdict.costs[name].training for verdict in shared]),
        }


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.1f}" if known else ""


def _gain(verdict: Verdict, gap: Difference | None) -> tuple[str, str]:
    """The best student, where another method has the best mean, with its gain; the interval."""
    points, interval = gap_parts(gap._asdict()) if gap else ("", "")
    return (f"{student_text(verdict)}{points}" if gap else "", interval)


def gap_parts(gap: Mapping[str, float]) -> tuple[str, str]:
    """``+1.20`` and ``[+0.80, +1.60]``; no interval where none is known."""
    if math.isnan(gap["low"]):
        return points_text(gap["mean"]), ""
    return points_text(gap["mean"]), f"[{points_text(gap['low'])}, {points_text(gap['high'])}]"
