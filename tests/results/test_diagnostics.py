"""Agreement, divergence and calibration equal their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from gkd_runner.results.diagnostics import BINS, calibration_error, diagnose

RNG = np.random.default_rng(5)
TEACHER, STUDENT = (RNG.normal(size=(200, 4)).astype(np.float32) for _ in range(2))
LABELS = RNG.integers(0, 4, 200)


def test_each_number_equals_its_definition() -> None:
    found = diagnose(TEACHER, STUDENT, LABELS)
    p, q = softmax(TEACHER.astype(float), axis=1), softmax(STUDENT.astype(float), axis=1)
    wrong = [i for i in range(200) if p[i].argmax() != LABELS[i]]

    assert found.agreement == np.mean([p[i].argmax() == q[i].argmax() for i in range(200)])
    assert found.kl == pytest.approx(np.mean([entropy(p[i], q[i]) for i in range(200)]))
    assert found.accuracy_where_teacher_errs == np.mean([q[i].argmax() == LABELS[i] for i in wrong])


def test_the_calibration_error_equals_its_sum_over_bins() -> None:
    p = softmax(TEACHER.astype(float), axis=1)
    confidence, hits = p.max(1), p.argmax(1) == LABELS
    expected = 0.0
    for k in range(BINS):
        inside = (confidence >= k / BINS) & (confidence < (k + 1) / BINS)
        if inside.any():
            expected += inside.mean() * abs(hits[inside].mean() - confidence[inside].mean())

    assert calibration_error(p, LABELS) == pytest.approx(expected)


def test_certainty_that_is_right_is_perfectly_calibrated() -> None:
    assert calibration_error(np.eye(4)[LABELS], LABELS) == 0


def test_a_student_that_equals_its_teacher_agrees_and_diverges_by_nothing() -> None:
    found = diagnose(TEACHER, TEACHER, LABELS)
    assert (found.agreement, found.kl, found.accuracy_where_teacher_errs) == (1, 0, 0)


def test_a_teacher_without_errors_leaves_none_to_mend() -> None:
    assert diagnose(np.eye(4)[LABELS] * 9, STUDENT, LABELS).accuracy_where_teacher_errs is None
