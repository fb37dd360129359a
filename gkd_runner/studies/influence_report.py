"""What the influence study found: its lines, its table and its sentences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from rich.table import Table

from gkd_runner.reporting.compare import DATASETS, TEACHERS, Difference, Place, in_order
from gkd_runner.studies.differences import Differences, gap, percent, points, verdict, won
from gkd_runner.studies.display import study_table
from gkd_runner.studies.lines import Line
from gkd_runner.studies.quarters import GROUPINGS, SIDES


@dataclass(frozen=True, kw_only=True)
class InfluenceLine(Line):
    """One measurement; columns that do not apply to it are empty.

    ``measure`` is ``test_accuracy`` ([0, 1]) or ``seconds_per_epoch`` (of one of the seeds that
    were trained at once) of a teacher that learnt from ``nodes`` training nodes of ``classes``
    classes, or ``influence_degree_spearman`` or ``influence_seconds`` (median over ``repeats``) of
    a training graph with ``nodes`` nodes. The quarter is the ``top`` or ``bottom`` (``side``) one
    ``overall`` or ``per-class`` (``grouping``).
    """

    SCOPE: ClassVar = ("dataset", "protocol", "setting", "teacher")
    IDENTITY: ClassVar = ("grouping", "side", "seed", "measure")

    dataset: str
    protocol: str
    setting: str
    teacher: str
    layers: int | None
    hidden_dim: int | None
    grouping: str
    side: str
    nodes: int
    classes: int
    seed: int
    measure: str
    value: float
    repeats: int
    threads: int
    device: str
    commit: str


@dataclass(frozen=True)
class Contest:
    """Top against bottom for one GNN on one graph; accuracies by seed.

    ``classes`` have a node left in the top and in the bottom quarter.
    """

    top: dict[int, float]
    bottom: dict[int, float]
    classes: tuple[int, int]
    seconds_per_epoch: float
    difference: Difference


Contests = dict[tuple[str, Place], Contest]
"""By grouping and place."""


def contests(lines: Sequence[InfluenceLine]) -> Contests:
    """Those of which both sides were measured, in the order of the tables."""
    datasets = in_order((line.dataset for line in lines), DATASETS)
    teachers = in_order((line.teacher for line in lines if line.teacher), TEACHERS)
    settings = dict.fromkeys(line.setting for line in lines)
    found: Contests = {}
    for where in itertools.product(GROUPINGS, datasets, settings, teachers):
        mine = [
            line
            for line in lines
            if (line.grouping, line.dataset, line.setting, line.teacher) == where
        ]
        contest = _contest(mine)
        if contest:
            found[where[0], Place(*where[1:])] = contest
    return found


def _contest(lines: Sequence[InfluenceLine]) -> Contest | None:
    tested = [line for line in lines if line.measure == "test_accuracy"]
    top, bottom = ([line for line in tested if line.side == side] for side in SIDES)
    of_top, of_bottom = ({line.seed: line.value for line in side} for side in (top, bottom))
    difference = gap(of_top, of_bottom)
    if difference is None:
        return None
    epochs = [line.value for line in lines if line.measure == "seconds_per_epoch"]
    classes = (min(line.classes for line in top), min(line.classes for line in bottom))
    pace = float(np.median(epochs)) if epochs else float("nan")
    return Contest(of_top, of_bottom, classes, pace, difference)


def table(lines: Sequence[InfluenceLine]) -> Table:
    """One row per contest; beside it what influence is on that graph."""
    shown = study_table(
        "test accuracy in % of the GNN, mean ± population std over seeds; difference in points, *"
        " p < 0.05; classes that have a node left in the top and in the bottom quarter; rank"
        " correlation (Spearman) of influence with degree; time for computing influence, in the"
        " GNN's epochs",
        ("quarter", "dataset", "GNN"),
        ("top", "bottom", "difference", "classes", "rank", "time"),
    )
    for (grouping, place), contest in contests(lines).items():
        rank, seconds = _of_graph(lines, place.dataset)
        shown.add_row(
            grouping,
            place.dataset,
            place.teacher,
            percent(contest.top),
            percent(contest.bottom),
            points(contest.difference),
            "{}, {}".format(*contest.classes),
            f"{rank:+.2f}",
            f"{seconds / contest.seconds_per_epoch:.1f}",
        )
    return shown


def differences(lines: Sequence[InfluenceLine], grouping: str) -> Differences:
    """Top minus bottom by place."""
    return {
        place: contest.difference
        for (found, place), contest in contests(lines).items()
        if found == grouping
    }


def sentence(lines: Sequence[InfluenceLine]) -> str:
    """In how many places the top quarter beat the bottom one, beside the article's claim."""
    overall, per_class = (differences(lines, grouping) for grouping in GROUPINGS)
    if not overall or not per_class:
        return "Not measured yet: GNNs on the top and the bottom quarter."
    return (
        f"By mean test accuracy the top quarter of the training nodes by influence beats the bottom"
        f" one for {won(overall.values())} pairs of teacher and dataset, and for"
        f" {won(per_class.values())} with quarters per class. That it does for every dataset and"
        f" teacher, as the InfGraND article claims, {verdict(overall)}."
    )


def of_graphs(lines: Sequence[InfluenceLine]) -> str:
    """What influence is and costs on each graph, in a sentence."""
    parts = []
    for dataset in in_order((line.dataset for line in lines if not line.teacher), DATASETS):
        rank, seconds = _of_graph(lines, dataset)
        parts.append(f"{dataset} {rank:+.2f} ({_in_epochs(lines, dataset, seconds)})")
    return (
        "Its rank correlation with degree, and the time for computing it on the CPU:"
        f" {', '.join(parts)}."
    )


def _in_epochs(lines: Sequence[InfluenceLine], dataset: str, seconds: float) -> str:
    epochs = [
        contest.seconds_per_epoch
        for (_, place), contest in contests(lines).items()
        if place.dataset == dataset
    ]
    told = f", {seconds / max(epochs):.1f} epochs of the slowest GNN" if epochs else ""
    return f"{seconds:.3f} s{told}"


def _of_graph(lines: Sequence[InfluenceLine], dataset: str) -> tuple[float, float]:
    """Rank correlation with degree, and seconds; NaN where they were not measured."""
    found = {
        line.measure: line.value for line in lines if not line.teacher and line.dataset == dataset
    }
    names = ("influence_degree_spearman", "influence_seconds")
    rank, seconds = (found.get(name, float("nan")) for name in names)
    return rank, seconds
