"""Measured inference times beside scores, from ``studies/inference.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gkd_runner.reporting.series import FIELDS, percent, records
from gkd_runner.results.compare import mean, std
from gkd_runner.studies import read_study
from gkd_runner.studies.inference import machines, student_model

HOW = "gkd-study inference"
"""The command that measures them."""

FILE = Path("studies") / "inference.csv"

SHOWN_AS = {
    "median_seconds_per_node": "seconds",
    "low": "fast",
    "high": "slow",
    "hidden_dim": "width",
    "size": "batch",
}
"""Columns of the measurements, by other names in the figure."""


def read_inference(sources: Sequence[Path]) -> pd.DataFrame:
    """The measurements in output folders, where later folders replace earlier ones.

    Raises ``ReportError`` for a file of another form.
    """
    measured = read_study("inference", sources)
    return measured.assign(machine=machines(measured))


def cost_records(series: pd.DataFrame, measured: pd.DataFrame) -> list[dict[str, Any]]:
    """One record per series, batch size (nodes per call) and machine that it was measured with."""
    seeds = series.dropna(subset="score").groupby(FIELDS, sort=False)["score"]
    means, stds = seeds.agg(mean), seeds.agg(std)
    scores = pd.DataFrame({
        "score": percent(means), "below": percent(means - stds), "above": percent(means + stds),
    }).reset_index()  # fmt: skip
    scores["model"] = [
        teacher if kind == "teacher" else student_model(kind, measured)
        for kind, teacher in zip(scores["kind"], scores["teacher"], strict=True)
    ]
    megabytes = (measured["peak_bytes"] / 1e6).map(lambda value: round(value, 1))
    times = measured.assign(megabytes=megabytes).rename(columns=SHOWN_AS)
    place = ["dataset", "setting", "teacher", "model"]
    shown = ["seconds", "fast", "slow", "megabytes", "width", "batch", "machine"]
    beside = scores.merge(times[[*place, *shown]], on=place)
    return records(beside[[*FIELDS, *shown, "score", "below", "above"]])
