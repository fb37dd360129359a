"""From trained stages to one seed's result; the only place where test labels are read."""

from __future__ import annotations

import numpy as np

from gkd_runner.data.graph import FloatArray
from gkd_runner.data.task import Task
from gkd_runner.results.diagnostics import Diagnostics, diagnose
from gkd_runner.results.scores import Scores, SeedResult, StageResult
from gkd_runner.training.calibration import mean_confidence
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained

FLAT_SHARE = 0.5
"""A teacher is flat when its mean top probability is below this share of its val accuracy."""

COLLAPSE_GAP = 0.10
"""A distilled student has collapsed when its val accuracy is this far below its teacher's."""


def seed_result(task: Task, labels: SoftLabels, student: Trained, *, distils: bool) -> SeedResult:
    """Score one seed. Test labels are read here, after all training, and nowhere before."""
    teacher = labels.teacher
    teacher_result, student_result = (_stage(task, trained) for trained in (teacher, student))
    confidence = mean_confidence(teacher.observed_logits)
    return SeedResult(
        seed=task.seed,
        split_hash=task.split.fingerprint,
        teacher=teacher_result,
        student=student_result,
        teacher_cached=labels.cached,
        teacher_confidence=confidence,
        temperature=labels.temperature,
        diagnostics=_diagnostics(task, labels, student),
        warnings=tuple(
            _warnings(teacher_result, student_result, confidence, labels.temperature)
            if distils
            else ()
        ),
    )


def _stage(task: Task, trained: Trained) -> StageResult:
    return StageResult(
        scores(task, trained.observed_logits, trained.hidden_logits),
        trained.best_epoch,
        len(trained.history),
        trained.seconds,
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


def _warnings(
    teacher: StageResult, student: StageResult, confidence: float, temperature: float
) -> list[str]:
    """What a reader of the numbers must know; judged on validation accuracy alone."""
    found = []
    if confidence < FLAT_SHARE * teacher.scores.val:
        mended = temperature < 1
        found.append(
            f"flat teacher: mean top probability {confidence:.2f} at"
            f" {100 * teacher.scores.val:.1f}% validation accuracy (best epoch"
            f" {teacher.best_epoch}); "
            + (
                f"calibrated with temperature {temperature:.2f}"
                if mended
                else "a student distilled on it may collapse: use calibration=temperature"
            )
        )
    gap = teacher.scores.val - student.scores.val
    if gap > COLLAPSE_GAP:
        found.append(
            f"collapsed student: {100 * student.scores.val:.1f}% validation accuracy,"
            f" {100 * gap:.1f} points below its teacher"
        )
    return found


def scores(task: Task, observed_logits: FloatArray, hidden_logits: FloatArray) -> Scores:
    """Accuracies of one seed."""
    predicted = observed_logits.argmax(1)
    labels = task.training_graph.labels
    seen = task.seen
    val_hits = predicted[seen.val] == labels[seen.val]
    tran_hits = predicted[seen.test] == labels[seen.test]
    ind_hits = hidden_logits.argmax(1) == task.graph.labels[task.hidden]
    prod = (tran_hits.sum() + ind_hits.sum()) / len(task.split.test)
    return Scores(float(val_hits.mean()), _mean(tran_hits), _mean(ind_hits), float(prod))


def _mean(hits: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    return float(hits.mean()) if len(hits) else None
