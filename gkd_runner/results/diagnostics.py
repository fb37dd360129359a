"""Beside accuracy: how far a student follows its teacher, and how well both know what they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from gkd_runner.data.graph import IntArray

Logits = npt.NDArray[np.floating[Any]]

BINS = 15
"""Confidence bins of the calibration error (Guo et al., ICML 2017)."""


@dataclass(frozen=True)
class Diagnostics:
    """One seed's student beside its teacher, over all test nodes, at temperature 1.

    Attributes:
        agreement: share of nodes with the same predicted class.
        kl: mean KL divergence from the teacher's to the student's distribution, in nats.
        teacher_calibration_error: expected calibration error of the soft labels, in [0, 1].
        student_calibration_error: the same of the student.
        accuracy_where_teacher_errs: the student's accuracy on nodes that the teacher gets wrong;
            ``None`` where it gets none wrong.
    """

    agreement: float
    kl: float
    teacher_calibration_error: float
    student_calibration_error: float
    accuracy_where_teacher_errs: float | None


def diagnose(teacher: Logits, student: Logits, labels: IntArray) -> Diagnostics:
    """Compare logits (``[k, C]``) of the same nodes, whose true classes are ``labels``."""
    log_t, log_s = (log_softmax(logits.astype(np.float64), axis=1) for logits in (teacher, student))
    predicted_t, predicted_s = log_t.argmax(1), log_s.argmax(1)
    wrong = predicted_t != labels
    return Diagnostics(
        agreement=float((predicted_t == predicted_s).mean()),
        kl=float((np.exp(log_t) * (log_t - log_s)).sum(1).mean()),
        teacher_calibration_error=calibration_error(np.exp(log_t), labels),
        student_calibration_error=calibration_error(np.exp(log_s), labels),
        accuracy_where_teacher_errs=(
            float((predicted_s[wrong] == labels[wrong]).mean()) if wrong.any() else None
        ),
    )


def calibration_error(probabilities: npt.NDArray[np.float64], labels: IntArray) -> float:
    """Expected calibration error of ``probabilities`` (``[k, C]``): 15 equal bins of confidence.

    The gap between accuracy and mean confidence in each bin, weighted by its share of the nodes.
    """
    confidence = probabilities.max(1)
    hits = probabilities.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weights=hits - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))
