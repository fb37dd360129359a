"""From trained stages to one seed's result; the only place where test labels are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gkd_runner.data.graph import FloatArray, IntArray
from gkd_runner.data.task import Task
from gkd_runner.options.metrics import BESIDE_ACCURACY, METRICS
from gkd_runner.options.schema import Config, TrainingConfig
from gkd_runner.results.diagnostics import Diagnostics, diagnose
from gkd_runner.results.metrics import COMPUTED, confusion_matrix
from gkd_runner.results.scores import PartScores, Scores, SeedResult, StageResult
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
        student_parameters=sum(weight.numel() for weight in student.state.values()),
    )


def _cut_short(trained: Trained, training: TrainingConfig) -> bool:
    """True if ``max_epochs`` ended the training within ``patience`` epochs of its last gain.

    A score that is only equalled is no gain: a student that predicts one class for ever equals
    its best in every epoch.
    """
    scores = [epoch.val(training.select_by) for epoch in trained.history]
    if not scores:  # a precomputed teacher
        return False
    last_gain = int(np.argmax(scores)) + 1
    epochs = len(scores)
    return epochs == training.max_epochs and epochs - last_gain < training.patience


def _stage(task: Task, trained: Trained) -> StageResult:
    logits = trained.observed_logits, trained.hidden_logits
    parts = _parts(task, *logits)
    return StageResult(
        scores(task, *logits),
        trained.best_epoch,
        len(trained.history),
        trained.seconds if trained.history else None,
        confusion=confusion_matrix(*parts["test"]).tolist(),
        **{
            metric: PartScores(**_by(metric, parts))
            for metric in BESIDE_ACCURACY
            if task.graph.num_classes == 2 or not METRICS[metric].two_classes
        },
    )


def _diagnostics(task: Task, labels: SoftLabels, student: Trained) -> Diagnostics:
    """On the test nodes; the teacher as it teaches, calibrated."""
    (teacher_logits, classes), (student_logits, _) = (
        _parts(task, trained.observed_logits, trained.hidden_logits)["test"]
        for trained in (labels.teacher, student)
    )
    return diagnose(teacher_logits / np.float32(labels.temperature), student_logits, classes)


def scores(task: Task, observed_logits: FloatArray, hidden_logits: FloatArray) -> Scores:
    """Accuracies of one seed."""
    return Scores(**_by("accuracy", _parts(task, observed_logits, hidden_logits)))


def _by(metric: str, parts: Mapping[str, tuple[FloatArray, IntArray]]) -> dict[str, Any]:
    """The metric of each part."""
    return {name: COMPUTED[metric](*part) for name, part in parts.items()}


def _parts(
    task: Task, observed_logits: FloatArray, hidden_logits: FloatArray
) -> dict[str, tuple[FloatArray, IntArray]]:
    """The logits and the true classes of each part; of the test nodes, observed ones first."""
    labels, seen = task.training_graph.labels, task.seen
    logits = np.concatenate([observed_logits[seen.test], hidden_logits])
    classes = np.concatenate([labels[seen.test], task.graph.labels[task.hidden]])
    observed = len(seen.test)
    return {
        "val": (observed_logits[seen.val], labels[seen.val]),
        "test_observed": (logits[:observed], classes[:observed]),
        "test_hidden": (logits[observed:], classes[observed:]),
        "test": (logits, classes),
    }
