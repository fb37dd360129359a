"""From trained stages to one seed's result; the only place where test labels are read."""

from __future__ import annotations

import numpy as np

from gkd_runner.data.graph import FloatArray
from gkd_runner.data.task import Task
from gkd_runner.options.schema import Config, TrainingConfig
from gkd_runner.results.diagnostics import Diagnostics, diagnose
from gkd_runner.results.scores import Scores, SeedResult, StageResult
from gkd_runner.training.calibration import mean_confidence
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained

FLAT_SHARE = 0.5
"""A teacher is flat when its mean top probability is below this share of its val accuracy."""

COLLAPSE_GAP = 0.10
"""A distilled student has collapsed when its val accuracy is this far below its teacher's."""


def seed_result(task: Task, labels: SoftLabels, student: Trained, config: Config) -> SeedResult:
    """Score one seed. Test labels are read here, after all training, and nowhere before."""
    teacher = labels.teacher
    teacher_result, student_result = (_stage(task, trained) for trained in (teacher, student))
    confidence = mean_confidence(teacher.observed_logits)
    taught = config.method.uses_teacher
    flat = taught and confidence < FLAT_SHARE * teacher_result.scores.val
    behind = taught and teacher_result.scores.val - student_result.scores.val > COLLAPSE_GAP
    cut = [_cut_short(trained, config.training) for trained in (teacher, student)]
    return SeedResult(
        seed=task.seed,
        split=task.number,
        split_hash=task.split.fingerprint,
        teacher=teacher_result,
        student=student_result,
        teacher_cached=labels.cached,
        teacher_confidence=confidence,
        temperature=labels.temperature,
        diagnostics=_diagnostics(task, labels, student),
        flat_teacher=flat and not cut[0],
        unfinished_teacher=flat and cut[0],
        collapsed_student=behind and not cut[1],
        unfinished_student=behind and cut[1],
        test_nodes=len(task.split.test),
        hidden_nodes=len(task.hidden),
    )


def _cut_short(trained: Trained, training: TrainingConfig) -> bool:
    """True if ``max_epochs`` ended the training within ``patience`` epochs of its last gain.

    An accuracy that is only equalled is no gain: a student that predicts one class for ever
    equals its best in every epoch.
    """
    accuracies = [epoch.val_accuracy for epoch in trained.history]
    if not accuracies:  # a precomputed teacher
        return False
    last_gain = int(np.argmax(accuracies)) + 1
    epochs = len(accuracies)
    return epochs == training.max_epochs and epochs - last_gain < training.patience


def _stage(task: Task, trained: Trained) -> StageResult:
    return StageResult(
        scores(task, trained.observed_logits, trained.hidden_logits),
        trained.best_epoch,
        len(trained.history),
        trained.seconds if trained.history else None,
    )


def _diagnostics(task: Task, labels: SoftLabels, student: Trained) -> Diagnostics:
    """On the test nodes, the observed ones first; the teacher as it teaches, calibrated."""
    teacher_logits, student_logits = (
        np.concatenate([trained.observed_logits[task.seen.test], trained.hidden_logits])
        for trained in (labels.teacher, student)
    )
    classes = np.concatenate(
        [task.training_graph.labels[task.seen.test], task.graph.labels[task.hidden]]
    )
    return diagnose(teacher_logits / np.float32(labels.temperature), student_logits, classes)


def scores(task: Task, observed_logits: FloatArray, hidden_logits: FloatArray) -> Scores:
    """Accuracies of one seed."""
    predicted = observed_logits.argmax(1)
    labels = task.training_graph.labels
    seen = task.seen
    val_hits = predicted[seen.val] == labels[seen.val]
    observed_hits = predicted[seen.test] == labels[seen.test]
    hidden_hits = hidden_logits.argmax(1) == task.graph.labels[task.hidden]
    test = (observed_hits.sum() + hidden_hits.sum()) / len(task.split.test)
    return Scores(float(val_hits.mean()), _mean(observed_hits), _mean(hidden_hits), float(test))


def _mean(hits: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    return float(hits.mean()) if len(hits) else None
