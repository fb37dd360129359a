"""The choice among the students of a method's variants, by their validation."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gkd_runner.common.seeding import generator
from gkd_runner.data.task import Task
from gkd_runner.methods.base import Method
from gkd_runner.options.schema import Config
from gkd_runner.training.failures import SeedFailure
from gkd_runner.training.fit import Epoch, OnEpochs
from gkd_runner.training.metrics import score
from gkd_runner.training.stage import Trained

logger = logging.getLogger("gkd_runner")

RESAMPLES = 200
"""Bootstrap samples of a standard error, which they give to 5%."""


def best_finished(
    task: Task,
    variants: Sequence[Method[Any]],
    trained: Sequence[Trained | SeedFailure],
    config: Config,
) -> Trained | SeedFailure:
    """The best of the students of ``variants`` that have not failed; warns of those that have.

    The first failure if all have failed.
    """
    finished = [(v, s) for v, s in zip(variants, trained, strict=True) if isinstance(s, Trained)]
    failed = [(v, s) for v, s in zip(variants, trained, strict=True) if isinstance(s, SeedFailure)]
    if not finished:
        first = failed[0][1]
        return replace(
            first, cause=f"{first.cause} (the first of {len(failed)} variants, all failed)"
        )
    for variant, failure in failed:
        name = ", ".join(f"{option}={value:g}" for option, value in variant.facts(0).items())
        logger.warning("%s; this variant (%s) is not kept", failure, name)
    fallbacks = [place for place, (variant, _) in enumerate(finished) if variant.is_fallback]
    students = [student for _, student in finished]
    return best_variant(task, students, config.training.select_by, fallbacks)


def best_variant(
    task: Task,
    students: Sequence[Trained],
    select_by: str = "accuracy",
    fallbacks: Collection[int] = (),
) -> Trained:
    """The student with the best score on the validation nodes, which ``select_by`` names.

    The students at the positions ``fallbacks``, unless they are all, are kept only if they are
    better than the others by more than one standard error. Breiman et al. (1984) choose the
    simplest of several trees by the same rule. Each student stands for its own best epoch, and of
    equal ones the one with the smallest validation loss is kept. Its facts list all of them, and
    its seconds are those of all.
    """
    usual = [one for number, one in enumerate(students) if number not in fallbacks]
    best = first = max(usual or students, key=lambda student: _rank(student, select_by))
    for number in fallbacks:
        student = students[number]
        gain = _chosen_epoch(student).val(select_by) - _chosen_epoch(first).val(select_by)
        if gain > 0 and gain > standard_error(task, student, first, select_by):
            best = max(best, student, key=lambda one: _rank(one, select_by))
    facts = {**best.facts, "variants": [_facts(student, select_by) for student in students]}
    return replace(best, facts=facts, seconds=sum(student.seconds for student in students))


def standard_error(task: Task, ours: Trained, theirs: Trained, select_by: str) -> float:
    """Standard error of the difference of two students' scores, by resampled validation nodes.

    Samples in which the metric is not defined, as only one class occurs, do not count.
    """
    val = task.seen.val
    pair = np.stack([student.observed_logits[val] for student in (ours, theirs)])
    logits = torch.from_numpy(pair)
    classes = torch.from_numpy(task.training_graph.labels[val]).expand(2, -1)
    draws = generator(task.seed, "resampled validation nodes")
    differences = []
    for _ in range(RESAMPLES):
        drawn = torch.from_numpy(draws.integers(len(val), size=len(val)))
        ahead, behind = score(select_by, logits[:, drawn], classes[:, drawn]).tolist()
        differences.append(ahead - behind)
    return float(np.nanstd(differences))


def _rank(student: Trained, select_by: str) -> tuple[float, float]:
    chosen = _chosen_epoch(student)
    return chosen.val(select_by), -chosen.val_loss


def _facts(student: Trained, select_by: str) -> dict[str, Any]:
    chosen = _chosen_epoch(student)
    return {
        **student.facts,
        "best_epoch": student.best_epoch,
        f"val_{select_by}": chosen.val(select_by),
        "val_loss": chosen.val_loss,
    }


def _chosen_epoch(student: Trained) -> Epoch:
    return student.history[student.best_epoch - 1]


def replay(seeds: Sequence[int], histories: Sequence[Sequence[Epoch]], on_epochs: OnEpochs) -> None:
    """Tell ``on_epochs`` of finished trainings as if the seeds trained together now."""
    for epoch in range(1, max(map(len, histories), default=0) + 1):
        records = [own[epoch - 1] if epoch <= len(own) else None for own in histories]
        on_epochs(seeds, epoch, records)
