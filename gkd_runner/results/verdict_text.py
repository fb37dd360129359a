"""A verdict as sentences."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import SupportsInt

from gkd_runner.methods import METHODS
from gkd_runner.options.metrics import METRICS
from gkd_runner.results.bootstrap import Estimate
from gkd_runner.results.compare import FEWEST_PAIRS, SIGNIFICANT, Difference, baseline
from gkd_runner.results.selection import distils
from gkd_runner.results.verdict import (
    ALL_EQUAL,
    BASELINE_WINS,
    CLEARLY_FASTER,
    DISTIL,
    FEW_NODES,
    FEW_PAIRS,
    NO_BASELINE,
    NO_PAIR,
    NO_STUDENT,
    TEACHER_WORSE,
    TIE,
    Verdict,
)

REASONS = {
    BASELINE_WINS: "the plain MLP wins",
    TEACHER_WORSE: "the teacher is worse than the plain MLP",
    TIE: "the difference to the plain MLP may be chance; more seeds narrow its interval",
    FEW_PAIRS: f"fewer than {FEWEST_PAIRS} pairs have no interval; run more seeds, or more splits"
    " where there are several",
    ALL_EQUAL: "all differences to the plain MLP are equal and give no interval; run more seeds",
    NO_PAIR: "the plain MLP has run on other seeds",
    NO_BASELINE: "the plain MLP has not run here",
    NO_STUDENT: "no method that distils has run here",
}
"""The reason of a verdict, where it is not that a student beats the baseline."""

NODES = {
    "test": "test nodes",
    "test_hidden": "hidden nodes",
    "test_observed": "observed test nodes",
}

CLEARLY_FASTER_TEXT = f"at least {CLEARLY_FASTER:g} times as fast"

LOOKED_UP = (
    "A student that reads propagated features looks them up; the time to propagate those of a node"
    " that arrives is not counted (docs/deploy.md)."
)
"""What the times of students leave out, for inductive runs."""

WALL_CLOCK = "Training times are by the wall clock: runs that shared a machine took longer."

ALWAYS_NAMED = ("teacher", "setting")


def verdict_text(verdict: Verdict, beside: Iterable[Verdict] = ()) -> str:
    """The verdict in a line; choices in which those ``beside`` it differ are named."""
    parts = [_best(verdict), _next(verdict), _speed(verdict), _teacher(verdict)]
    said = "; ".join(part for part in parts if part)
    place = f"{verdict.names['dataset']} ({', '.join(_choices(verdict, [*beside]))})"
    reason = REASONS.get(verdict.reason)
    apart = f" (their options differ: {', '.join(verdict.apart)})" if verdict.apart else ""
    return f"{place}: {verdict.decision}{f', as {reason}' if reason else ''}{apart}. {said}."


def warning_texts(verdict: Verdict) -> Iterator[str]:
    """The warnings on a verdict, each in a sentence."""
    texts = {
        BASELINE_WINS: _baseline_wins,
        TEACHER_WORSE: _teacher_worse,
        FEW_NODES: few_nodes_text,
    }
    return (texts[name](verdict) for name in verdict.warnings)


def settling_command(verdict: Verdict) -> str:
    """The command line that settles a verdict which lacks a run; empty for any other verdict.

    It is the line of the runs there are, with another method; in words if these came from Python.
    """
    distilling = next(name for name in METHODS if distils(name))
    lacking = {NO_BASELINE: baseline(), NO_PAIR: baseline(), NO_STUDENT: distilling}
    if verdict.reason not in lacking:
        return ""
    method = lacking[verdict.reason]
    program, *words = shlex.split(verdict.command) or [""]
    if Path(program).name != "gkd-train" and not program.endswith("gkd_runner/cli/train.py"):
        return f"train with method={method} on the same graph, options and seeds"
    others = [word for word in words if not word.startswith(("method=", "method.", "+method."))]
    return shlex.join(["gkd-train", *others, f"method={method}"])


def export_command(verdict: Verdict) -> str:
    """The command line that exports the best student; empty unless it is worth distilling."""
    if verdict.decision != DISTIL or not verdict.folder:
        return ""
    return f"gkd-export {shlex.quote(verdict.folder)}"


def few_nodes_text(verdict: Verdict) -> str:
    """The warning on a score over few nodes."""
    shown = verdict.score
    spread = f" ± {100 * shown.std:.2f}" if shown.n > 1 else ""
    of_half = "" if verdict.metric == "accuracy" else " of 50%"
    return (
        f"the number means little: {100 * shown.mean:.2f}{spread} on {_nodes(verdict)}; one"
        f" accuracy{of_half} over so few has a standard error of"
        f" {100 * verdict.standard_error:.1f} points"
    )


def interval_text(gap: Difference | Estimate) -> str:
    """``+24.12 [+23.04, +25.20]``: points with their 95% interval, if there is one."""
    ends = "" if math.isnan(gap.low) else f" [{points_text(gap.low)}, {points_text(gap.high)}]"
    return f"{points_text(gap.mean)}{ends}"


def points_text(difference: float) -> str:
    """A difference of scores in points with its sign, ``+24.12``; never -0.00."""
    return f"{round(100 * difference, 2) + 0.0:+.2f}"


def mean_text(mean: float, std: float, n: int) -> str:
    """``82.10±0.53``: the mean of ``n`` scores in %, and their population std if n > 1."""
    return f"{100 * mean:.2f}" + (f"±{100 * std:.2f}" if n > 1 else "")


def nodes_text(counts: Iterable[SupportsInt]) -> str:
    """``39``, or ``37-39`` where splits differ in their number of nodes; empty without any."""
    distinct = {int(count) for count in counts}
    ends = dict.fromkeys((min(distinct), max(distinct))) if distinct else {}
    return "-".join(map(str, ends))


def faster_text(speed_up: float) -> str:
    """``14 times``; with a decimal below 10."""
    return f"{speed_up:.0f} times" if speed_up >= 10 else f"{speed_up:.1f} times"


def speed_text(verdict: Verdict) -> str:
    """``1.3 times; hgmd-mixup 14 times``: the best student, and a level method that is faster."""
    speeds = {"": verdict.speed_up}
    if verdict.faster:
        speeds[f"{verdict.faster} "] = verdict.costs[verdict.faster].speed_up
    return "; ".join(f"{name}{faster_text(speed)}" for name, speed in speeds.items() if speed)


def listed(names: Iterable[object], joined_by: str = "and") -> str:
    """``cora, citeseer and pubmed``."""
    *most, last = map(str, names)
    return f"{', '.join(most)} {joined_by} {last}" if most else last


def _choices(verdict: Verdict, beside: Sequence[Verdict]) -> Iterator[str]:
    for name in (*ALWAYS_NAMED, "protocol", "preset", "calibration"):
        mine = verdict.names[name]
        if name in ALWAYS_NAMED:
            yield mine
        elif any(other.names[name] != mine for other in beside):
            yield f"{name}={mine}"
    if verdict.metric != "accuracy":
        yield f"by {METRICS[verdict.metric].title}"


def _best(verdict: Verdict) -> str:
    shown, nodes = verdict.score, _nodes(verdict)
    over = f"answers {100 * shown.mean:.1f}% of {nodes}"
    if verdict.metric != "accuracy":
        over = f"has a {METRICS[verdict.metric].title} of {100 * shown.mean:.1f}% on {nodes}"
    if verdict.best is None:
        return f"The plain MLP {over}"
    gaps = [(verdict.over_baseline, "the plain MLP"), (verdict.over_teacher, "its teacher")]
    known = [(gap, base) for gap, base in gaps if gap is not None]
    against = "".join(f", {interval_text(gap)} against {base}" for gap, base in known)
    return f"{shown.method} {over}{against}{_pairs([gap for gap, _ in known], verdict)}"


def _pairs(gaps: Sequence[Difference], verdict: Verdict) -> str:
    """The number of pairs, and the name of the intervals if there are any."""
    if not gaps:
        return ""
    counts = " and ".join(map(str, dict.fromkeys(gap.n for gap in gaps)))
    pairs = f"{counts} pair{'' if counts == '1' else 's'}"
    pairs += ", one per split" if verdict.splits > 1 else ""
    named = any(not math.isnan(gap.low) for gap in gaps)
    return f" ({'95% paired t intervals, ' if named else ''}{pairs})"


def _nodes(verdict: Verdict) -> str:
    return f"{nodes_text(verdict.nodes)} {NODES[verdict.part]}"


def _next(verdict: Verdict) -> str:
    if len(verdict.methods) < 2:
        return ""
    gap, other = verdict.over_next, verdict.methods[1]
    best = f"the best of {len(verdict.methods)} methods"
    if gap is None:
        return f"{best}, though {other} has run on other seeds"
    better = gap.mean > 0 and gap.p < SIGNIFICANT
    return f"{best}, {'' if better else 'not '}significantly better than {other}"


def _speed(verdict: Verdict) -> str:
    if verdict.speed_up is None:
        return ""
    faster, slower = verdict.speed_up, 1 / verdict.speed_up
    pace = f"{faster_text(faster)} faster" if faster >= 1 else f"{faster_text(slower)} slower"
    return f"it answers one node {pace} than the teacher"


def _teacher(verdict: Verdict) -> str:
    """The teacher against the baseline, where no student says more."""
    gap = verdict.teacher_over_baseline
    if verdict.best is not None or gap is None:
        return ""
    return f"its teacher is {interval_text(gap)} against it{_pairs([gap], verdict)}"


def _baseline_wins(verdict: Verdict) -> str:
    gap = verdict.over_baseline
    assert gap is not None, "it has won against a student"
    return (
        f"the plain MLP wins: {verdict.score.method}, the best student, is"
        f" {-100 * gap.mean:.2f} points worse"
    )


def _teacher_worse(verdict: Verdict) -> str:
    gap = verdict.teacher_over_baseline
    assert gap is not None, "it was compared"
    return (
        f"the teacher is worse than the plain MLP ({interval_text(gap)} points): a student that is"
        " better than such a teacher proves nothing"
    )
