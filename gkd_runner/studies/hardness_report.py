"""What the hardness study found: its tables and its sentence."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Group

from gkd_runner.nodes.quarters import QUARTERS
from gkd_runner.reporting.compare import Place
from gkd_runner.studies.differences import Differences, gaps, mean_points, percent, standing, won
from gkd_runner.studies.display import study_table
from gkd_runner.studies.sweep import TEACHER, SweepLine, accuracies_at, collapses, places

PLAIN = ("mlp", "glnn", "infgrand")
HGMD = ("hgmd-weight", "hgmd-mixup")
HARDNESSES = ("both", "knowledge", "distillation", "none")
METHODS = ("mlp", "glnn", *HGMD, "infgrand")

BINS = 20
"""Of the histograms of hardness over [0, 1]; a line's ``part`` is where its bin begins."""


def variant_of(method: str) -> str:
    """The variant in which a method is what its authors published."""
    return "both" if method in HGMD else ""


def tables(lines: Sequence[SweepLine]) -> Group:
    """Accuracy by quarter of every method; HGMD by what it draws edges with."""
    names = ("dataset", "GNN", "method")
    by_quarter = study_table(
        "test accuracy in % by quarter of the test nodes, mean ± population std over seeds",
        names,
        (*QUARTERS, "all"),
    )
    by_hardness = study_table(
        "test accuracy in %, mean ± population std over seeds, of HGMD that draws edges by both"
        " hardnesses, one alone, or none",
        names,
        HARDNESSES,
    )
    for place in places(lines):
        where = (place.dataset, place.teacher)
        for method in (TEACHER, *METHODS):
            variant = variant_of(method)
            parts = (accuracies_at(lines, place, variant, method, q) for q in (*QUARTERS, ""))
            last = method == METHODS[-1]
            by_quarter.add_row(*where, method, *map(percent, parts), end_section=last)
        for method in HGMD:
            variants = (accuracies_at(lines, place, each, method) for each in HARDNESSES)
            last = method == HGMD[-1]
            by_hardness.add_row(*where, method, *map(percent, variants), end_section=last)
    return Group(by_quarter, by_hardness)


def gains(lines: Sequence[SweepLine], method: str, part: str) -> Differences:
    """A method minus GLNN on one quarter, where both were measured."""
    return gaps(
        {
            place: (
                accuracies_at(lines, place, variant_of(method), method, part),
                accuracies_at(lines, place, "", "glnn", part),
            )
            for place in places(lines)
        }
    )


def both_minus(lines: Sequence[SweepLine], method: str, hardness: str) -> Differences:
    """HGMD by both hardnesses minus HGMD by ``hardness``, where both were measured."""
    return gaps(
        {
            place: (
                accuracies_at(lines, place, "both", method),
                accuracies_at(lines, place, hardness, method),
            )
            for place in places(lines)
        }
    )


def extraction_share(lines: Sequence[SweepLine], method: str) -> dict[Place, float]:
    """The share of an epoch of ``method`` that it takes beyond GLNN's, where both were timed."""
    seconds = {
        (Place(line.dataset, line.setting, line.teacher), line.method): line.value
        for line in lines
        if line.measure == "seconds_per_epoch"
    }
    return {
        place: 1 - seconds[place, "glnn"] / seconds[place, method]
        for place in places(lines)
        if (place, method) in seconds and (place, "glnn") in seconds
    }


def sentence(lines: Sequence[SweepLine]) -> str:
    """Whether the hard nodes improve, which hardness matters, and what it costs."""
    easy, hard = (gains(lines, "hgmd-mixup", part).values() for part in (QUARTERS[0], QUARTERS[-1]))
    others = {name: both_minus(lines, "hgmd-mixup", name).values() for name in HARDNESSES[1:]}
    if not hard or not easy or not all(others.values()):
        return "Not measured yet: GLNN and HGMD-mixup on all quarters, and HGMD-mixup's variants."
    alone = ", ".join(f"{name} {mean_points(found)}" for name, found in others.items())
    return (
        f"On the hardest quarter HGMD-mixup is {standing(hard)} GLNN (better for {won(hard)} pairs"
        f" of graph and teacher), on the easiest {standing(easy)} it. Both hardnesses instead of"
        f" one alone or none change its accuracy by: {alone}."
        f"{_costs(lines)}{collapses(lines)}"
    )


def _costs(lines: Sequence[SweepLine]) -> str:
    shares = {method: extraction_share(lines, method).values() for method in HGMD}
    told = " and ".join(
        f"{_range(found)} of an epoch of {name}" for name, found in shares.items() if found
    )
    return f" Drawing subgraphs (time beyond GLNN's) takes {told}." if told else ""


def _range(shares: Collection[float]) -> str:
    low, high = (f"{100 * end:.0f}" for end in (min(shares), max(shares)))
    return f"{low}%" if low == high else f"{low} to {high}%"
