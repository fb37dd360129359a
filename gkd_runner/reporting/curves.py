"""Learning curves over seeds, from the metrics that runs left or from the file beside a CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gkd_runner.common.reading import checked_lines, skipping, whole_lines
from gkd_runner.reporting.series import FIELDS, records
from gkd_runner.results.stored import METRICS_FILE, load_run

POINTS = 40
"""Epochs shown of a curve at most."""

FILE = "curves.jsonl"
"""The curves of the runs of a ``runs.csv`` beside it: one series per line, with its replicas."""

Stored = Mapping[str, dict[str, Any]]
"""Curves by the name of their series and replicas (``_name``)."""

Metrics = dict[tuple[str, int], list[float]]
"""Validation accuracies in [0, 1] by stage and seed, from epoch 1."""


def curve_records(
    series: pd.DataFrame, stored: Stored | None = None
) -> tuple[list[dict[str, Any]], set[str]]:
    """A record per series whose seeds all have metrics, and the runs without.

    The record of another series is taken from those ``stored``, if it is there.
    """
    rows, missing = [], set[str]()
    for _, seeds in series.groupby(FIELDS, sort=False):
        if stored and (name := _name(seeds)) in stored:
            rows.append(seeds.iloc[0][FIELDS].to_dict() | stored[name])
            continue
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
    return records(pd.DataFrame(rows)), missing


def stored_text(series: pd.DataFrame, stored: Stored | None = None) -> str:
    """The curves of these series, some of them ``stored``, as ``FILE`` has them; may be empty."""
    return "".join(
        json.dumps({"series": _name(seeds), **{name: record[name] for name in SHOWN}}) + "\n"
        for _, seeds in series.groupby(FIELDS, sort=False)
        for record in curve_records(seeds, stored)[0]
    )


def read_stored(sources: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """The curves that lie in output folders, or beside CSV files of runs."""
    folders = [source if source.is_dir() else source.parent for source in sources]
    stored: dict[str, dict[str, Any]] = {}
    for path in dict.fromkeys(folder / FILE for folder in folders):
        if path.is_file():
            with skipping(path, "its learning curves are left out; write it again with gkd-tables"):
                lines = map(json.loads, checked_lines(path))
                stored |= {line.pop("series"): _checked(line) for line in lines}
    return stored


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    """The stored ``record`` of a curve. Raises ``ValueError`` or ``TypeError`` for any other."""
    final, *curves = float(record["final"]), *(record[name] for name in SHOWN if name != "final")
    lengths = {len([float(value) for value in curve]) for curve in curves}
    if record.keys() != set(SHOWN) or len(lengths) != 1 or not math.isfinite(final):
        raise ValueError("a line is no learning curve")
    return record


def _name(seeds: pd.DataFrame) -> str:
    """The series and its replicas as one text: curves of other runs have another name."""
    first = seeds.iloc[0]
    replicas = sorted(zip(seeds["run"], seeds["seed"], strict=True))
    return json.dumps([first["stage"], first["group"], *((run, int(n)) for run, n in replicas)])


SHOWN = ("epoch", "final", "mean", "low", "high")


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
    path = Path(folder) / METRICS_FILE
    if not folder or not path.is_file():
        return {}
    with skipping(path, "its run has no learning curve; run it again with rerun=true"):
        with suppress(FileNotFoundError):  # without result.json there is no checksum
            load_run(path.parent).check_file(path.name)
        return _curves_in(path)
    return {}


def _curves_in(path: Path) -> Metrics:
    """The curves in a run's file. Raises ``ValueError`` unless all epochs follow each other."""
    curves: Metrics = {}
    for record in map(json.loads, whole_lines(path)):  # its checksum is in result.json
        curve = curves.setdefault((str(record["stage"]), int(record["seed"])), [])
        accuracy = float(record["val_accuracy"])
        if record["epoch"] != len(curve) + 1 or not 0 <= accuracy <= 1:
            raise ValueError(f"epoch {record['epoch']} with val_accuracy {accuracy} is out of line")
        curve.append(accuracy)
    return curves
