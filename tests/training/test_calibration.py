from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from gkd_runner.training.calibration import BOUNDS, fit_temperature, mean_confidence

Array = np.ndarray[Any, Any]


def sampled(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Log-probabilities of 5 classes, and one label per row drawn from them."""
    rng = np.random.default_rng(seed)
    log_p = log_softmax(rng.normal(0, 2, (count, 5)), axis=1)
    labels = np.array([rng.choice(5, p=np.exp(row)) for row in log_p])
    return log_p.astype(np.float32), labels


def cross_entropy(logits: Array, labels: Array) -> float:
    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


@pytest.mark.parametrize("temperature", [0.015, 0.3, 1.0, 4.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    log_p, labels = sampled(5000)
    found = fit_temperature(temperature * log_p, labels)
    assert found == pytest.approx(temperature, rel=0.05)


def test_a_constant_added_to_a_row_does_not_matter() -> None:
    log_p, labels = sampled(500)
    shifted = log_p + np.arange(500, dtype=np.float32)[:, None] / 100
    assert fit_temperature(shifted, labels) == pytest.approx(
        fit_temperature(log_p, labels), rel=1e-3
    )


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_no_other_temperature_fits_the_labels_better(scale: float) -> None:
    log_p, labels = sampled(300)
    logits = scale * log_p
    fitted = cross_entropy(logits / fit_temperature(logits, labels), labels)
    others = [cross_entropy(logits / t, labels) for t in np.geomspace(*BOUNDS, 200)]
    assert fitted <= min(others) + 1e-6


def test_predictions_and_their_order_do_not_change() -> None:
    log_p, labels = sampled(300)
    calibrated = log_p / fit_temperature(0.2 * log_p, labels)
    np.testing.assert_array_equal(np.argsort(calibrated, axis=1), np.argsort(log_p, axis=1))


def test_the_temperature_stays_within_its_bounds() -> None:
    low, high = BOUNDS
    certain = np.eye(5, dtype=np.float32)
    always_right, always_wrong = np.arange(5), (np.arange(5) + 1) % 5
    assert low <= fit_temperature(100 * certain, always_right) <= high
    assert low <= fit_temperature(certain, always_right) <= 0.05, "below it the loss is 0"
    assert fit_temperature(certain, always_wrong) == pytest.approx(high, rel=0.01)


def test_mean_confidence_is_the_mean_top_probability() -> None:
    log_p, _ = sampled(50)
    expected = softmax(log_p.astype(np.float64), axis=1).max(axis=1).mean()
    assert mean_confidence(log_p) == pytest.approx(expected)
    assert mean_confidence(np.zeros((3, 4), dtype=np.float32)) == pytest.approx(0.25)


def test_an_uncertain_teacher_becomes_more_confident() -> None:
    log_p, labels = sampled(1000)
    logits = 0.2 * log_p
    calibrated = (logits / fit_temperature(logits, labels)).astype(np.float32)
    assert mean_confidence(calibrated) > mean_confidence(logits) + 0.1
