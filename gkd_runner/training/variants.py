"""The choice among the students of a method's variants, by their validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gkd_runner.training.fit import Epoch, OnEpochs
from gkd_runner.training.stage import Trained


def best_variant(students: Sequence[Trained], select_by: str = "accuracy") -> Trained:
    """The student with the best validation score (``select_by``) at its own best epoch.

    Of equal ones it is the one with the smaller validation loss. Its facts list all of them, and
    its seconds are those of all.
    """
    best = max(students, key=lambda student: _rank(student, select_by))
    facts = {**best.facts, "variants": [_facts(student) for student in students]}
    return replace(best, facts=facts, seconds=sum(student.seconds for student in students))


def _rank(student: Trained, select_by: str) -> tuple[float, float]:
    chosen = _chosen_epoch(student)
    return chosen.val(select_by), -chosen.val_loss


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
