"""Measured inference times beside accuracies, from ``studies/inference.csv``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from gkd_runner.reporting.page.lines import Series
from gkd_runner.reporting.rows import ReportError

COLUMNS = (
    "dataset", "setting", "teacher", "model", "batch", "median_seconds_per_node", "low", "high",
    "peak_bytes",
)  # fmt: skip
FILE = Path("studies") / "inference.csv"
HOW = "python scripts/study.py inference"
"""The command that measures them."""


def read_inference(sources: Sequence[Path]) -> list[dict[str, str]]:
    """The measurements in output folders. Raises ``ReportError`` for a file of another form."""
    found = []
    for path in (source / FILE for source in sources):
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as lines:
                reader = csv.DictReader(lines)
                if set(reader.fieldnames or ()) != set(COLUMNS):
                    raise ReportError(
                        f"{path} has columns {', '.join(reader.fieldnames or ())}, not"
                        f" {', '.join(COLUMNS)}; measure again: {HOW}"
                    )
                found += list(reader)
    return found


def costs(series: Sequence[Series], measured: Sequence[dict[str, str]]) -> list[dict[str, object]]:
    """One record per series and batch size (nodes per call) that was measured for it."""
    times: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for entry in measured:
        key = (entry["dataset"], entry["setting"], entry["teacher"], entry["model"])
        times.setdefault(key, []).append(entry)
    return [
        _record(each, entry)
        for each in series
        for entry in times.get(_key(each), ())
        if each.result.values(each.stage, each.part)
    ]


def _key(series: Series) -> tuple[str, ...]:
    where = tuple(series.identity[name] for name in ("dataset", "setting", "teacher"))
    if series.kind == "teacher":
        return (*where, series.identity["teacher"])
    return (*where, "infgrand-mlp" if series.kind == "infgrand" else "mlp")


def _record(series: Series, entry: dict[str, str]) -> dict[str, object]:
    mean = 100 * (series.result.mean(series.stage, series.part) or 0)
    std = 100 * series.result.std(series.stage, series.part)
    return series.fields | {
        "batch": int(entry["batch"]),
        "seconds": float(entry["median_seconds_per_node"]),
        "fast": float(entry["low"]),
        "slow": float(entry["high"]),
        "megabytes": round(float(entry["peak_bytes"]) / 1e6, 1),
        "accuracy": round(mean, 2),
        "below": round(mean - std, 2),
        "above": round(mean + std, 2),
    }
