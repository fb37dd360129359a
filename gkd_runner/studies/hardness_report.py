"""What the hardness study found: its table and its sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Group

from gkd_runner.nodes.summary import QUARTILES
from gkd_runner.reporting.compare import Difference
from gkd_runner.studies.differences import gap, mean_points, percent, won
from gkd_runner.studies.study import plain_table
from gkd_runner.studies.sweep import TEACHER, Line, Place, accuracies_at, places

PLAIN = ("mlp", "glnn", "infgrand")
HGMD = ("hgmd-weight", "hgmd-mixup")
HARDNESSES = ("both", "knowledge", "distillation", "none")
METHODS = ("mlp", "glnn", *HGMD, "infgrand")

HARDEST = QUARTILES[-1]


def variant_of(method: str) -> str:
    """The variant in which a method is what its authors published."""
    return "both" if method in HGMD else ""


def tables(lines: Sequence[Line]) -> Group:
    """Accuracy by quarter of every method; HGMD by what it draws edges with."""
    by_quarter = plain_table(
        "test accuracy in % by quarter of the test nodes, mean over seeds",
        ("dataset", "GNN", "method", *QUARTILES, "all"),
    )
    by_hardness = plain_table(
        "test accuracy in %, mean ± population std over seeds, of HGMD that draws edges by both"
        " hardnesses, one alone, or none",
        ("dataset", "GNN", "method", *HARDNESSES),
    )
    for place in places(lines):
        for method in (TEACHER, *METHODS):
            variant = "" if method == TEACHER else variant_of(method)
            parts = [
                accuracies_at(lines, place, variant, method, part) for part in (*QUARTILES, "")
            ]
            cells = (f"{100 * np.mean(list(found.values())):.1f}" for found in parts)
            by_quarter.add_row(*place, method, *cells, end_section=method == METHODS[-1])
        for method in HGMD:
            found = (accuracies_at(lines, place, variant, method) for variant in HARDNESSES)
            by_hardness.add_row(
                *place, method, *map(percent, found), end_section=method == HGMD[-1]
            )
    return Group(by_quarter, by_hardness)


def gains(lines: Sequence[Line], method: str, part: str) -> list[Difference]:
    """A method minus GLNN on one quarter, per graph and teacher."""
    return [
        gap(
            accuracies_at(lines, place, variant_of(method), method, part),
            accuracies_at(lines, place, "", "glnn", part),
        )
        for place in places(lines)
    ]


def against_both(lines: Sequence[Line], method: str, hardness: str) -> list[Difference]:
    """HGMD by both hardnesses minus HGMD by ``hardness``, per graph and teacher."""
    return [
        gap(*(accuracies_at(lines, place, name, method) for name in ("both", hardness)))
        for place in places(lines)
    ]


def extraction_share(lines: Sequence[Line], method: str) -> dict[Place, float]:
    """The share of an epoch of ``method`` that it takes beyond GLNN's, per graph and teacher."""
    seconds = {
        ((line.dataset, line.teacher), line.method): line.value
        for line in lines
        if line.measure == "seconds_per_epoch"
    }
    return {
        place: 1 - seconds[place, "glnn"] / seconds[place, method]
        for place in places(lines)
        if (place, method) in seconds
    }


def sentence(lines: Sequence[Line]) -> str:
    """Whether the hard nodes improve, which hardness matters, and what it costs."""
    hard, easy = (gains(lines, "hgmd-mixup", part) for part in (HARDEST, QUARTILES[0]))
    alone = ", ".join(
        f"{name} {mean_points(against_both(lines, 'hgmd-mixup', name))}" for name in HARDNESSES[1:]
    )
    costs = {method: list(extraction_share(lines, method).values()) for method in HGMD}
    told = " and ".join(f"{_range(found)}% of an epoch of {name}" for name, found in costs.items())
    return (
        f"On the hardest quarter HGMD-mixup gains {mean_points(hard)} points over GLNN (better for"
        f" {won(hard)} pairs of graph and teacher), on the easiest {mean_points(easy)}. Drawing"
        f" edges by both hardnesses instead of one alone or none changes its accuracy by: {alone}."
        f" What it takes beyond GLNN's epoch, the drawing of subgraphs above all, is {told}."
    )


def _range(shares: Sequence[float]) -> str:
    low, high = (f"{100 * end:.0f}" for end in (min(shares), max(shares)))
    return low if low == high else f"{low} to {high}"
