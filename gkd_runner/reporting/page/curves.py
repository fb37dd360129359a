"""Learning curves over seeds, from the metrics that runs left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gkd_runner.reporting.page.series import FIELDS, records

POINTS = 60
"""Epochs shown of a curve at most."""

Metrics = dict[tuple[str, int], list[float]]
"""Validation accuracies in [0, 1] by stage and seed, from epoch 1."""


def curve_records(series: pd.DataFrame) -> tuple[list[dict[str, Any]], int]:
    """A record per series whose seeds all have metrics, and the number of runs without."""
    rows, missing = [], set()
    for _, seeds in series.groupby(FIELDS, sort=False):
        curves = [
            _metrics(folder).get((stage, seed), [])
            for folder, stage, seed in zip(
                seeds["folder"], seeds["stage"], seeds["seed"], strict=True
            )
        ]
        lost = {run for run, curve in zip(seeds["run"], curves, strict=True) if not curve}
        missing |= lost
        if not lost:
            rows.append(seeds.iloc[0][FIELDS].to_dict() | _record(curves, list(seeds["val"])))
    return records(pd.DataFrame(rows)), len(missing)


def _record(curves: Sequence[Sequence[float]], best: Sequence[float]) -> dict[str, Any]:
    accuracies = 100 * held(curves, best)
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
def _metrics(folder: str) -> Metrics:
    path = Path(folder) / "metrics.jsonl"
    if not folder or not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    names = ["stage", "seed", "epoch", "val_accuracy"]
    entries = pd.DataFrame(map(json.loads, lines), columns=names).sort_values("epoch")
    by_seed = entries.groupby(["stage", "seed"])["val_accuracy"]
    return {(str(stage), int(seed)): list(values) for (stage, seed), values in by_seed}
