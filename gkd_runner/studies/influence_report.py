"""What the influence study found: its lines, its table and its sentence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from gkd_runner.reporting.compare import (
    DATASETS,
    TEACHERS,
    Difference,
    in_order,
    paired,
)
from gkd_runner.studies.differences import won
from gkd_runner.studies.quarters import QUARTERS, SIDES
from gkd_runner.studies.study import plain_table


@dataclass(frozen=True)
class Line:
    """One measurement; columns that do not apply to it are empty.

    ``measure`` is ``test_accuracy`` ([0, 1]) or ``seconds_per_epoch`` of a teacher that learnt from
    ``nodes`` training nodes of ``classes`` classes, or ``influence_degree_spearman`` or
    ``influence_seconds`` (median over ``repeats``) of a training graph with ``nodes`` nodes.
    ``quarter`` is ``overall`` or ``per-class``, ``side`` ``top`` or ``bottom``; ``key`` hashes what
    shapes the measurement.
    """

    dataset: str
    protocol: str
    setting: str
    teacher: str
    layers: int | None
    hidden_dim: int | None
    quarter: str
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
    key: str


@dataclass(frozen=True)
class Contest:
    """Top against bottom for one GNN on one graph; accuracies by seed.

    ``classes`` have a node left in the top and in the bottom quarter.
    """

    top: dict[int, float]
    bottom: dict[int, float]
    classes: tuple[int, int]
    seconds_per_epoch: float

    @property
    def difference(self) -> Difference:
        """Top minus bottom, paired by seed."""
        return paired([self.top[seed] - self.bottom[seed] for seed in self.top])


def contests(lines: Sequence[Line]) -> dict[tuple[str, str, str], Contest]:
    """All contests by quarter, dataset and teacher, in the order of the tables."""
    datasets = in_order((line.dataset for line in lines), DATASETS)
    teachers = in_order((line.teacher for line in lines if line.teacher), TEACHERS)
    found = {
        place: [line for line in lines if (line.quarter, line.dataset, line.teacher) == place]
        for place in itertools.product(QUARTERS, datasets, teachers)
    }
    return {place: _contest(mine) for place, mine in found.items() if mine}


def _contest(lines: Sequence[Line]) -> Contest:
    tested = [line for line in lines if line.measure == "test_accuracy"]
    top, bottom = ([line for line in tested if line.side == side] for side in SIDES)
    epochs = [line.value for line in lines if line.measure == "seconds_per_epoch"]
    return Contest(
        {line.seed: line.value for line in top},
        {line.seed: line.value for line in bottom},
        (min(line.classes for line in top), min(line.classes for line in bottom)),
        float(np.median(epochs)),
    )


def table(lines: Sequence[Line]) -> Table:
    """One row per contest; beside it what influence is on that graph."""
    shown = plain_table(
        "test accuracy in % of the GNN, mean over seeds; classes that have a node left in the top"
        " and in the bottom quarter; rank correlation (Spearman) of influence with degree; time for"
        " computing influence, in the GNN's epochs",
        (
            "quarter",
            "dataset",
            "GNN",
            "top",
            "bottom",
            "difference",
            "p",
            "classes",
            "rank",
            "time",
        ),
    )
    for (quarter, dataset, teacher), contest in contests(lines).items():
        found, top = contest.difference, list(contest.top.values())
        of_graph = _of_graph(lines, dataset)
        shown.add_row(
            quarter,
            dataset,
            teacher,
            f"{100 * float(np.mean(top)):.2f}",
            f"{100 * (float(np.mean(top)) - found.mean):.2f}",
            f"{100 * found.mean:+.2f}",
            "" if found.p is None else f"{found.p:.3f}",
            "{}, {}".format(*contest.classes),
            f"{of_graph['influence_degree_spearman']:+.2f}",
            f"{of_graph['influence_seconds'] / contest.seconds_per_epoch:.1f}",
        )
    return shown


def sentence(lines: Sequence[Line]) -> str:
    """In how many places the top quarter beat the bottom one, beside the article's claim."""
    found = contests(lines).items()
    overall, per_class = (
        [contest.difference for place, contest in found if place[0] == quarter]
        for quarter in QUARTERS
    )
    holds = all(difference.mean > 0 for difference in overall)
    return (
        f"By mean test accuracy the top quarter of the training nodes by influence beats the bottom"
        f" one for {won(overall)} pairs of teacher and dataset, and for {won(per_class)} with"
        f" quarters per class, where the InfGraND article claims every dataset and teacher: the"
        f" claim {'holds' if holds else 'does not hold'} here."
    )


def of_graphs(lines: Sequence[Line]) -> str:
    """What influence is and costs on each graph, in a sentence."""
    epochs = {place[1:]: contest.seconds_per_epoch for place, contest in contests(lines).items()}
    parts = []
    for dataset in in_order((line.dataset for line in lines), DATASETS):
        found = _of_graph(lines, dataset)
        slowest = max(seconds for place, seconds in epochs.items() if place[0] == dataset)
        rank, seconds = found["influence_degree_spearman"], found["influence_seconds"]
        parts.append(f"{dataset} {rank:+.2f} ({seconds:.3f} s, {seconds / slowest:.1f} epochs)")
    return (
        "Its rank correlation with degree, and the time for computing it (in epochs of the slowest"
        f" of the GNNs): {', '.join(parts)}."
    )


def _of_graph(lines: Sequence[Line], dataset: str) -> dict[str, float]:
    return {
        line.measure: line.value for line in lines if not line.teacher and line.dataset == dataset
    }
