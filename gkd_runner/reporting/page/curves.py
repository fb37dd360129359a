"""Learning curves over seeds, from the metrics that runs left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from gkd_runner.reporting.page.lines import Series

POINTS = 60
"""Epochs shown of a curve at most."""

Metrics = dict[tuple[str, int], list[float]]
"""Validation accuracies in [0, 1] by stage and seed, from epoch 1."""


@dataclass(frozen=True)
class Curves:
    """Records for the figure, and how many runs have no metrics to read."""

    records: tuple[dict[str, object], ...]
    missing: int


def curves_of(series: Sequence[Series], sources: Sequence[Path]) -> Curves:
    """One record per series whose seeds all left metrics in one of the ``sources``."""
    records, missing = [], set()
    for each in series:
        found = [_metrics(tuple(sources), row.run) for row in each.result.rows]
        lost = {
            row.run
            for row, metrics in zip(each.result.rows, found, strict=True)
            if (each.stage, row.seed) not in metrics
        }
        missing |= lost
        if not lost:
            records.append(each.fields | _record(each, found))
    return Curves(tuple(records), len(missing))


def _record(series: Series, found: Sequence[Metrics]) -> dict[str, object]:
    seeds = [
        (metrics[series.stage, row.seed], float(row.accuracy(series.stage, "val") or 0))
        for row, metrics in zip(series.result.rows, found, strict=True)
    ]
    accuracies = 100 * held([values for values, _ in seeds], [best for _, best in seeds])
    epochs = thin(accuracies.shape[1])
    shown = accuracies[:, epochs - 1]
    bands = {"mean": shown.mean(0), "low": shown.min(0), "high": shown.max(0)}
    return {"epoch": epochs.tolist(), "final": round(float(shown[:, -1].mean()), 2)} | {
        name: values.round(2).tolist() for name, values in bands.items()
    }


def held(curves: Sequence[Sequence[float]], best: Sequence[float]) -> np.ndarray:
    """``[seeds, epochs]``: a seed that has stopped goes on with its restored state's accuracy.

    So the mean is over all seeds at every epoch.
    """
    longest = max(map(len, curves))
    return np.array(
        [
            [*curve, *[kept] * (longest - len(curve))]
            for curve, kept in zip(curves, best, strict=True)
        ]
    )


def thin(epochs: int, points: int = POINTS) -> np.ndarray:
    """At most ``points`` of the epochs 1 to ``epochs``: denser where curves rise, both ends in."""
    if epochs <= points:
        return np.arange(1, epochs + 1)
    return np.unique(np.round(1 + (epochs - 1) * np.linspace(0, 1, points) ** 2).astype(int))


@cache
def _metrics(sources: tuple[Path, ...], run: str) -> Metrics:
    for source in sources:
        path = source / "runs" / run / "metrics.jsonl"
        if path.is_file():
            return dict(_read(path))
    return {}


def _read(path: Path) -> Iterator[tuple[tuple[str, int], list[float]]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    found: Metrics = {}
    for entry in sorted(map(json.loads, lines), key=lambda entry: entry["epoch"]):
        found.setdefault((entry["stage"], entry["seed"]), []).append(entry["val_accuracy"])
    yield from found.items()
