"""Judges what a stage has trained: models that are no use, and the likely cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gkd_runner.data.graph import FloatArray, largest_value
from gkd_runner.data.logits import LARGEST_LOGIT
from gkd_runner.data.task import Task
from gkd_runner.training.failures import OnFailure, SeedFailure
from gkd_runner.training.fit import Epoch, Schedule

LARGE_FEATURE = 1e4
"""Features above this are a likely cause; those of the packaged datasets are below 100."""


@dataclass(frozen=True)
class Watch:
    """Judges one stage's models: ``blame`` names the likely cause where a replica's is no use."""

    stage: str
    blame: Callable[[int], str]
    on_failure: OnFailure

    def passes(
        self, replica: int, task: Task, diverged: Epoch | None, best_epoch: int, *logits: FloatArray
    ) -> bool:
        """True if the training has not diverged and all ``logits`` are sound; else tell."""
        if diverged is not None:
            what = f"loss {diverged.loss:g}, validation loss {diverged.val_loss:g}"
            epoch = diverged.epoch
        elif (largest := max(map(largest_logit, logits))) <= LARGEST_LOGIT:
            return True
        else:
            what, epoch = f"the largest logit is {largest:g}", best_epoch
        cause = f"{what} at epoch {epoch}; {self.blame(replica)}"
        self.on_failure(SeedFailure(task.seed, task.number, self.stage, epoch, cause))
        return False


def largest_logit(logits: FloatArray) -> float:
    """The largest magnitude, NaN if any logit is; 0 without logits."""
    if not logits.size:
        return 0.0
    return float(np.maximum(logits.max(), -logits.min()))


def likely_cause(task: Task, schedule: Schedule) -> str:
    """Why the training of ``task`` has diverged: features out of scale, or steps too large."""
    largest = largest_value(task.training_graph.features)
    if largest > LARGE_FEATURE:
        return (
            f"likely because features reach {largest:g}; divide them, or use"
            " dataset.row_normalize=true, which divides each row by its sum"
        )
    return f"lower {schedule.stage}.learning_rate={schedule.learning_rate:g}{_decay(schedule)}"


def _decay(schedule: Schedule) -> str:
    """Name the weight decay where it is unusually large, at 1 or above."""
    decay = schedule.weight_decay
    return f" or {schedule.stage}.weight_decay={decay:g}" if decay >= 1 else ""


def sharp_labels(logits: FloatArray, tau: float) -> str:
    """Say so if the soft labels of these calibrated logits exceed float32; else an empty text."""
    largest = largest_logit(logits) / tau
    if largest <= LARGEST_LOGIT:
        return ""
    return (
        f"likely because the teacher's calibrated logits reach {largest_logit(logits):g} and are"
        f" divided by method.tau={tau:g}; raise it"
    )
