"""Names and values of the metrics that trackers receive.

``scripts/wandb_dashboard.py``, ``result.json``, ``runs.csv`` and the tests use the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gkd_runner.options.metrics import METRICS
from gkd_runner.results.scores import SeedResult, StageResult
from gkd_runner.results.warnings import warnings_of

if TYPE_CHECKING:
    from gkd_runner.training.fit import Epoch

IDENTITY = {
    "dataset": "dataset.name",
    "method": "method.name",
    "teacher": "teacher.name",
    "protocol": "protocol.name",
    "setting": "setting.name",
    "preset": "preset.name",
    "calibration": "calibration",
}
"""Choices that name a configuration, and their paths in the tracked config."""


class StageMetrics:
    """The names of one stage's metrics.

    ``curves`` are logged each epoch, over ``epoch``: of the scores, accuracy and the metric that
    selects. Their summary is the selected epoch's. The others are known at the end: test scores
    come from the restored best state alone.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.epoch = f"{stage}/epoch"
        self.loss = f"{stage}/loss"
        self.val_loss = f"{stage}/val_loss"
        self.best_epoch = f"{stage}/best_epoch"
        self.epochs = f"{stage}/epochs"
        self.seconds = f"{stage}/seconds"
        self.curves = (self.loss, self.val_loss, *(self.score("val", m) for m in METRICS))

    def score(self, part: str, metric: str = "accuracy") -> str:
        """A score in [0, 1] over one of ``PARTS``: ``student/test_hidden_macro_f1``."""
        return f"{self.stage}/{part}_{metric}"


TEACHER, STUDENT = StageMetrics("teacher"), StageMetrics("student")
STAGES = {"teacher": TEACHER, "student": STUDENT}

TEACHER_CONFIDENCE = "teacher_confidence"
TEMPERATURE = "temperature"
AGREEMENT = "agreement"
KL = "kl"
TEACHER_CALIBRATION_ERROR = "teacher_calibration_error"
STUDENT_CALIBRATION_ERROR = "student_calibration_error"
ACCURACY_WHERE_TEACHER_ERRS = "accuracy_where_teacher_errs"
WARNINGS = "warnings"
"""The only summary that is text; empty if there are no warnings."""


def epoch_metrics(stage: str, entry: Epoch) -> dict[str, float]:
    """One epoch of one stage; the values that a method logs are called as in its code."""
    names = STAGES[stage]
    return {
        **{f"{stage}/{name}": value for name, value in entry.logged},
        names.epoch: entry.epoch,
        names.loss: entry.loss,
        names.val_loss: entry.val_loss,
        names.score("val"): entry.val_accuracy,
    }


def summary_metrics(result: SeedResult, selected: Mapping[str, Epoch]) -> dict[str, Any]:
    """Final values of one seed; metrics that do not apply are omitted.

    Args:
        result: the seed's result.
        selected: the epoch with the best validation score of each stage that was trained.
    """
    diagnostics = result.diagnostics
    values = {
        TEACHER_CONFIDENCE: result.teacher_confidence,
        TEMPERATURE: result.temperature,
        AGREEMENT: diagnostics.agreement,
        KL: diagnostics.kl,
        TEACHER_CALIBRATION_ERROR: diagnostics.teacher_calibration_error,
        STUDENT_CALIBRATION_ERROR: diagnostics.student_calibration_error,
        ACCURACY_WHERE_TEACHER_ERRS: diagnostics.accuracy_where_teacher_errs,
        WARNINGS: "; ".join(warnings_of(result)),
        **_stage("teacher", result.teacher, selected.get("teacher")),
        **_stage("student", result.student, selected.get("student")),
    }
    return {name: value for name, value in values.items() if value is not None}


def _stage(stage: str, result: StageResult, selected: Epoch | None) -> dict[str, Any]:
    names = STAGES[stage]
    of_training = {
        names.loss: selected.loss,
        names.val_loss: selected.val_loss,
        names.best_epoch: result.best_epoch,
        names.epochs: result.epochs,
        names.seconds: result.seconds,
    } if selected else {}  # fmt: skip
    return of_training | _scores(names, result)


def _scores(names: StageMetrics, result: StageResult) -> dict[str, float | None]:
    """Every metric over the parts that an accuracy is over."""
    return {
        names.score(part, metric): getattr(scores, part)
        for metric in METRICS
        if (scores := result.of(metric))
        for part in result.scores.parts
    }
