"""The costs of students over the graphs of a group in one setting, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median

from gkd_runner.results.selection import distils
from gkd_runner.results.verdict import Verdict
from gkd_runner.results.verdict_overall import Overall
from gkd_runner.results.verdict_text import (
    CLEARLY_FASTER_TEXT,
    LOOKED_UP,
    WALL_CLOCK,
    faster_text,
    listed,
)


def cost_sentences(overall: Overall) -> Iterator[str]:
    """How fast the best students answer, and how long the best one trains."""
    yield from _answering(overall)
    yield from _training(overall)


def _answering(overall: Overall) -> Iterator[str]:
    """The speed of the best student of each graph, and the faster methods that are level."""
    speeds = {v.names["dataset"]: v.speed_up for v in overall.graphs if v.speed_up}
    if not speeds:
        return
    best, its = ("student answers", "its") if len(speeds) == 1 else ("students answer", "their")
    faster = [_faster(v, v.faster) for v in overall.graphs if v.faster]
    beside = f" A method that is not told apart from the best is {CLEARLY_FASTER_TEXT} on"
    left_out = f" {LOOKED_UP}" if overall.names["setting"] == "inductive" else ""
    yield (
        f"The best {best} for one node {faster_text(median(speeds.values()))} as fast as {its}"
        f" teacher{'' if len(speeds) == 1 else 's'}{_spread(speeds, faster_text)}."
        f"{f'{beside} {listed(faster)}.' if faster else ''}{left_out}"
    )


def _faster(verdict: Verdict, method: str) -> str:
    """``pubmed (infgrand, 12 times)``."""
    speed = verdict.costs[method].speed_up
    assert speed is not None, "it was compared"
    return f"{verdict.names['dataset']} ({method}, {faster_text(speed)})"


def _training(overall: Overall) -> Iterator[str]:
    """How long the best student trains, beside one of the method that trains quickest."""
    times = {name: known for name, known in overall.training.items() if known and distils(name)}
    medians = {name: median(known.values()) for name, known in times.items()}
    if not medians:
        return
    best, quick = next(iter(medians)), min(medians, key=lambda name: medians[name])
    ours, theirs = times[best], times[quick]
    if medians[best] == medians[quick]:
        alone = "" if len(medians) == 1 else "; no method that distils trains quicker"
        spread = _spread(ours, _seconds)
        seconds = f"{_seconds(medians[best])}{spread}{alone}"
        yield f"A student of {best} trains for {seconds}. {WALL_CLOCK}"
        return
    ratios = {graph: ours[graph] / theirs[graph] for graph in ours}
    several = f" (medians over {len(ratios)} graphs); {best} takes {_ends(ratios, _longer)}"
    yield (
        f"A student of {best} trains for {_seconds(medians[best])} and one of {quick}, the quickest"
        f" method that distils, for {_seconds(medians[quick])}{several if len(ratios) > 1 else ''}."
        f" {WALL_CLOCK}"
    )


def _longer(ratio: float) -> str:
    return f"{faster_text(ratio)} as long"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _spread(values: Mapping[str, float], text: Callable[[float], str]) -> str:
    """That a number is a median over graphs, with its extremes; empty for one graph."""
    several = f" (median over {len(values)} graphs; {_ends(values, text)})"
    return several if len(values) > 1 else ""


def _ends(values: Mapping[str, float], text: Callable[[float], str]) -> str:
    """``from 1.3 times on coauthor-physics to 294 times on amazon-photo``, or ``2 s on each``."""
    low, high = (end(values, key=lambda graph: values[graph]) for end in (min, max))
    if text(values[low]) == text(values[high]):
        return f"{text(values[low])} on each"
    return f"from {text(values[low])} on {low} to {text(values[high])} on {high}"
