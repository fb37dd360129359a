"""Measured inference times beside accuracies, from ``studies/inference.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gkd_runner.reporting.page.lines import Series
from gkd_runner.studies import read_study
from gkd_runner.studies.inference import machines

HOW = "python scripts/study.py inference"
"""The command that measures them."""

FILE = Path("studies") / "inference.csv"


def read_inference(sources: Sequence[Path]) -> pd.DataFrame:
    """The measurements in output folders, the last source counting.

    Raises ``ReportError`` for a file of another form.
    """
    return read_study("inference", sources)


def costs(series: Sequence[Series], measured: pd.DataFrame) -> list[dict[str, object]]:
    """One record per series, batch size (nodes per call) and machine that it was measured with."""
    times: dict[tuple[str, ...], list[Any]] = {}
    for line in measured.assign(machine=machines(measured)).itertuples():
        key = (line.dataset, line.setting, line.teacher, line.model)
        times.setdefault(key, []).append(line)
    return [
        _record(each, line)
        for each in series
        for line in times.get(_key(each), ())
        if each.result.values(each.stage, each.part)
    ]


def _key(series: Series) -> tuple[str, ...]:
    where = tuple(series.identity[name] for name in ("dataset", "setting", "teacher"))
    if series.kind == "teacher":
        return (*where, series.identity["teacher"])
    return (*where, "infgrand-mlp" if series.kind == "infgrand" else "mlp")


def _record(series: Series, line: Any) -> dict[str, object]:
    mean = 100 * (series.result.mean(series.stage, series.part) or 0)
    std = 100 * series.result.std(series.stage, series.part)
    return series.fields | {
        "seconds": line.median_seconds_per_node,
        "fast": line.low,
        "slow": line.high,
        "megabytes": round(line.peak_bytes / 1e6, 1),
        "width": line.hidden_dim,
        "batch": line.size,
        "machine": line.machine,
        "accuracy": round(mean, 2),
        "below": round(mean - std, 2),
        "above": round(mean + std, 2),
    }
