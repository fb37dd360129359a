"""The metrics of predictions: the only list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A metric's name as people read it; ``two_classes`` if it needs exactly two classes."""

    title: str
    two_classes: bool = False


METRICS = {
    "accuracy": Metric("accuracy"),
    "macro_f1": Metric("macro F1"),
    "roc_auc": Metric("ROC AUC", two_classes=True),
}
"""By their names in options, records and columns.

Their values are computed in ``gkd_runner.results.metrics`` and, on the device, in
``gkd_runner.training.metrics``.
"""

BESIDE_ACCURACY = tuple(name for name in METRICS if name != "accuracy")

ANY_CLASSES = " or ".join(name for name, metric in METRICS.items() if not metric.two_classes)
"""The metrics for any number of classes, for messages."""


def selecting_metric(changed: Mapping[str, Any]) -> str:
    """The metric that selected the epochs of a run, by its changed options."""
    return str(changed.get("training.select_by", "accuracy"))
