"""Metrics of predictions: accuracy, confusion matrix, F1 per class, macro F1, ROC AUC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.data.graph import IntArray

Logits = npt.NDArray[np.floating[Any]]


def accuracy(logits: Logits, labels: IntArray) -> float | None:
    """The share of nodes whose true class has the highest logit; ``None`` without nodes."""
    return float((logits.argmax(1) == labels).mean()) if len(labels) else None


def confusion_matrix(logits: Logits, labels: IntArray) -> IntArray:
    """Counts of nodes ``[C, C]``: a row per true class, a column per predicted one.

    ``logits`` are ``[k, C]``, ``labels`` the true classes ``[k]``.
    """
    count = logits.shape[1]
    cells = labels * count + logits.argmax(1)
    return np.bincount(cells, minlength=count**2).reshape(count, count)


def f1_per_class(confusion: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The F1 of each class of a confusion matrix, in [0, 1]: ``[C]``.

    NaN for a class that no node has, neither in truth nor as predicted.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    true_and_predicted = counts.sum(1) + counts.sum(0)
    f1 = np.full(len(counts), np.nan)
    occurs = true_and_predicted > 0
    f1[occurs] = 2 * counts.diagonal()[occurs] / true_and_predicted[occurs]
    return f1


def macro_f1(logits: Logits, labels: IntArray) -> float | None:
    """The mean F1 of the classes that occur among true or predicted ones, as in scikit-learn.

    ``None`` without nodes.
    """
    if not len(labels):
        return None
    return float(np.nanmean(f1_per_class(confusion_matrix(logits, labels))))


def roc_auc(logits: Logits, labels: IntArray) -> float | None:
    """The area under the ROC curve of class 1, for two classes: ``logits`` are ``[k, 2]``.

    The share of pairs of both classes in which class 1 has the higher score; ties count half. The
    score is the log-odds of class 1, which has the order of its probability and, unlike it, does
    not round to 1. ``None`` where a class has no nodes.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return None
    scores = logits[:, 1].astype(np.float64) - logits[:, 0]
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # tied scores share the mean of their ranks
    wins = float(ranks[place] @ labels) - positives * (positives + 1) / 2
    return wins / (positives * negatives)


COMPUTED: Mapping[str, Callable[[Logits, IntArray], float | None]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "roc_auc": roc_auc,
}
"""How each of ``METRICS`` is computed."""
