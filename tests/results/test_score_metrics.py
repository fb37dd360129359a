"""Macro F1, ROC AUC and the confusion matrix agree with their definitions, written out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from gkd_runner.options.metrics import BESIDE_ACCURACY, METRICS
from gkd_runner.results.metrics import (
    COMPUTED,
    confusion_matrix,
    f1_per_class,
    macro_f1,
    roc_auc,
)
from gkd_runner.results.scores import StageResult
from gkd_runner.training import metrics as on_the_device
from gkd_runner.training.metrics import selecting

CONCEPTS = Path(__file__).parents[2] / "docs" / "concepts.md"

Array = npt.NDArray[Any]


def logits_for(predicted: list[int], classes: int) -> Array:
    return np.eye(classes, dtype=np.float32)[predicted]


def two_logits(scores: list[float]) -> Array:
    """Logits of two classes whose log-odds are the scores."""
    return np.stack([np.zeros(len(scores)), scores], axis=1).astype(np.float32)


def f1_written_out(truth: list[int], predicted: list[int]) -> float:
    """The mean over classes of the harmonic mean of precision and recall."""
    values = []
    for c in sorted(set(truth) | set(predicted)):
        hits = sum(t == p == c for t, p in zip(truth, predicted, strict=True))
        precision = hits / predicted.count(c) if c in predicted else 0
        recall = hits / truth.count(c) if c in truth else 0
        both = precision + recall
        values.append(2 * precision * recall / both if both else 0.0)
    return sum(values) / len(values)


def auc_over_pairs(truth: list[int], scores: list[float]) -> float:
    """The share of pairs of both classes that are in order; ties count half."""
    pairs = [(p, n) for p, t in zip(scores, truth, strict=True) if t == 1
             for n, u in zip(scores, truth, strict=True) if u == 0]  # fmt: skip
    return sum((p > n) + (p == n) / 2 for p, n in pairs) / len(pairs)


def test_the_examples_of_scikit_learns_documentation() -> None:
    predicted = logits_for([0, 2, 1, 0, 0, 1], 3)
    scores = two_logits([0.1, 0.4, 0.35, 0.8])

    assert macro_f1(predicted, np.array([0, 1, 2, 0, 1, 2])) == pytest.approx(0.8 / 3)  # f1_score
    assert roc_auc(scores, np.array([0, 0, 1, 1])) == 0.75  # roc_auc_score


@pytest.mark.parametrize("seed", range(20))
def test_macro_f1_is_the_mean_over_the_classes_that_occur(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.choice([0, 1, 3], 12).tolist(), rng.choice([0, 1, 4, 5], 12).tolist()

    found = macro_f1(logits_for(predicted, 6), np.array(truth))  # class 2 does not occur

    assert found == pytest.approx(f1_written_out(truth, predicted))


@pytest.mark.parametrize("seed", range(20))
def test_roc_auc_is_the_share_of_ordered_pairs_and_ties_count_half(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, scores = rng.integers(0, 2, 15).tolist(), rng.integers(0, 5, 15).tolist()

    found = roc_auc(two_logits(scores), np.array(truth))

    assert found == pytest.approx(auc_over_pairs(truth, scores))


def test_roc_auc_tells_scores_apart_whose_probabilities_both_round_to_one() -> None:
    assert roc_auc(two_logits([40.0, 50.0]), np.array([0, 1])) == 1.0


@pytest.mark.parametrize("truth", [[], [0, 0], [1, 1]])
def test_roc_auc_needs_nodes_of_both_classes(truth: list[int]) -> None:
    assert roc_auc(two_logits([0.5] * len(truth)), np.array(truth, dtype=np.int64)) is None


def test_without_nodes_there_is_no_macro_f1() -> None:
    assert macro_f1(logits_for([], 3), np.array([], dtype=np.int64)) is None


def test_a_minority_that_is_never_predicted_costs_macro_f1_and_hardly_accuracy() -> None:
    truth = np.array([0] * 95 + [1] * 5)
    never, often = logits_for([0] * 100, 2), logits_for([0] * 85 + [1] * 15, 2)

    def accuracy(logits: Array) -> float:
        return float((logits.argmax(1) == truth).mean())

    assert accuracy(never) > accuracy(often)
    assert macro_f1(never, truth) == pytest.approx((2 * 95 / 195 + 0) / 2)
    assert macro_f1(often, truth) == pytest.approx((2 * 85 / 180 + 2 * 5 / 20) / 2)


def test_the_confusion_matrix_has_true_classes_as_rows_and_gives_each_classs_f1() -> None:
    confusion = confusion_matrix(logits_for([0, 0, 1, 1, 1], 4), np.array([0, 1, 1, 2, 1]))

    assert confusion.tolist() == [[1, 0, 0, 0], [1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(f1_per_class(confusion), [2 / 3, 2 / 3, 0, np.nan])


@pytest.mark.parametrize("metric", BESIDE_ACCURACY)
def test_replicas_in_parts_on_the_device_have_the_scores_of_each_alone(metric: str) -> None:
    rng = np.random.default_rng(0)
    logits = rng.integers(0, 4, (5, 30, 2)).astype(np.float32)
    classes = rng.integers(0, 2, (5, 30))
    classes[0], logits[0, :, 1] = np.arange(30) == 0, -1  # class 1 occurs and is never predicted
    parts = [
        (torch.from_numpy(logits[:, part]), torch.from_numpy(classes[:, part]))
        for part in (slice(0, 7), slice(7, 30))
    ]

    found = selecting(metric, parts)

    expected = [COMPUTED[metric](one, truth) for one, truth in zip(logits, classes, strict=True)]
    assert found.keys() == {metric}
    np.testing.assert_allclose(found[metric].numpy(), expected)


def test_accuracy_selects_without_a_further_metric() -> None:
    assert (
        selecting("accuracy", [(torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.int64))]) == {}
    )


def test_every_metric_is_computed_on_host_and_device_recorded_and_documented() -> None:
    (section,) = re.findall(r"## Metrics\n(.*?)\n## ", CONCEPTS.read_text(encoding="utf-8"), re.S)

    assert list(COMPUTED) == list(METRICS)
    assert tuple(on_the_device.BESIDE_ACCURACY) == BESIDE_ACCURACY
    assert {field.name for field in fields(StageResult)}.issuperset(BESIDE_ACCURACY)
    assert re.findall(r"^\| `(\w+)` \|", section, re.M) == list(METRICS)
