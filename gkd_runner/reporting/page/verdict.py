"""The verdict that the page opens with: sentences on each group, and a line per graph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gkd_runner.reporting.text import PARTS, group_name
from gkd_runner.results.compare import Comparison, Difference, baseline
from gkd_runner.results.method_comparison import MethodComparison
from gkd_runner.results.verdict import Verdict
from gkd_runner.results.verdict_overall import Overall, overalls
from gkd_runner.results.verdict_overall_text import overall_sentences, winner_text
from gkd_runner.results.verdict_text import (
    REASONS,
    faster_text,
    mean_text,
    nodes_text,
    points_text,
)


def verdict_parts(comparison: Comparison) -> list[dict[str, Any]]:
    """Each group's name, sentences and lines, which are in blocks of one setting."""
    return [_part(overall) for overall in overalls(comparison)]


def _part(overall: Overall) -> dict[str, Any]:
    blocks: dict[str, list[Verdict]] = {}
    methods = overall.methods if overall.compared > 1 else None
    for verdict in overall.graphs:
        blocks.setdefault(verdict.names["setting"], []).append(verdict)
    return {
        "group": group_name(overall.names),
        "sentences": overall_sentences(overall),
        "blocks": [(_heading(setting, lines), list(map(_line, lines)))
                   for setting, lines in blocks.items()],
        "methods": list(_methods(methods)) if methods else [],
        "cells": len(methods.cells.cells) if methods else 0,
        "timed": any(verdict.speed_up for verdict in overall.graphs),
    }  # fmt: skip


def _heading(setting: str, lines: list[Verdict]) -> str:
    nodes = nodes_text(count for verdict in lines for count in verdict.nodes)
    return f"{setting}, {nodes} {PARTS[lines[0].part].removeprefix('all ')}"


def _line(verdict: Verdict) -> dict[str, Any]:
    return {
        "dataset": verdict.names["dataset"],
        "setting": verdict.names["setting"],
        "teachers": verdict.names["teacher"],
        "decision": verdict.decision,
        "reason": REASONS.get(verdict.reason, ""),
        "use": winner_text(verdict).split(", "),
        "score": _score(verdict),
        "gains": [_gain(verdict.over_baseline), _gain(verdict.over_teacher)],
        "faster": faster_text(verdict.speed_up) if verdict.speed_up else "",
    }


def _methods(methods: MethodComparison) -> Iterator[dict[str, Any]]:
    """A line per method over all graphs, the best mean first."""
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
        }


def _score(verdict: Verdict) -> str:
    """The score of the method with the best mean."""
    both = [shown for shown in (verdict.best, verdict.baseline) if shown]
    (best,) = [shown for shown in both if shown.method == verdict.level[0]]
    return mean_text(best.mean, best.std, best.n)


def _gain(gap: Difference | None) -> tuple[str, str]:
    """The mean in points, and its interval."""
    return gap_parts(gap._asdict()) if gap else ("", "")


def gap_parts(gap: Mapping[str, float]) -> tuple[str, str]:
    """``+1.20`` and ``[+0.80, +1.60]``; no interval where none is known."""
    if math.isnan(gap["low"]):
        return points_text(gap["mean"]), ""
    return points_text(gap["mean"]), f"[{points_text(gap['low'])}, {points_text(gap['high'])}]"
