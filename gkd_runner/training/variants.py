"""The choice among the students of a method's variants, by their validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.data.task import Task
from gkd_runner.training.fit import Epoch, OnEpochs
from gkd_runner.training.stage import Trained

Hits = npt.NDArray[np.bool_]


def best_variant(task: Task, students: Sequence[Trained]) -> Trained:
    """The student to keep: the first, unless another is better by more than one standard error.

    Accuracies are those of the validation nodes, and the standard error is that of their paired
    difference. Of several that are better by that much the best is kept, and of equal ones the one
    with the smallest validation loss. Its facts list all of them, and its seconds are those of all.
    Breiman et al. (1984) prefer the simplest tree by the same rule.
    """
    first, *others = students
    hits = [_hits(task, student) for student in students]
    ahead = [
        student
        for student, own in zip(others, hits[1:], strict=True)
        if own.mean() - hits[0].mean() > standard_error(own, hits[0])
    ]
    best = max(ahead, key=_rank, default=first)
    facts = {**best.facts, "variants": [_facts(student) for student in students]}
    return replace(best, facts=facts, seconds=sum(student.seconds for student in students))


def standard_error(ours: Hits, theirs: Hits) -> float:
    """Standard error of the difference of two accuracies on the same nodes."""
    apart = ours.astype(np.float64) - theirs
    return float(apart.std() / math.sqrt(len(apart)))


def _hits(task: Task, student: Trained) -> Hits:
    val = task.seen.val
    predicted = student.observed_logits[val].argmax(1)
    return np.asarray(predicted == task.training_graph.labels[val])


def _rank(student: Trained) -> tuple[float, float]:
    chosen = _chosen_epoch(student)
    return chosen.val_accuracy, -chosen.val_loss


def _facts(student: Trained) -> dict[str, Any]:
    chosen = _chosen_epoch(student)
    return {
        **student.facts,
        "best_epoch": student.best_epoch,
        "val_accuracy": chosen.val_accuracy,
        "val_loss": chosen.val_loss,
    }


def _chosen_epoch(student: Trained) -> Epoch:
    return student.history[student.best_epoch - 1]


def replay(seeds: Sequence[int], histories: Sequence[Sequence[Epoch]], on_epochs: OnEpochs) -> None:
    """Tell ``on_epochs`` of finished trainings as if the seeds trained together now."""
    for epoch in range(1, max(map(len, histories), default=0) + 1):
        records = [own[epoch - 1] if epoch <= len(own) else None for own in histories]
        on_epochs(seeds, epoch, records)
