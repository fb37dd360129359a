"""Measured inference times beside scores, from ``studies/inference.csv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gkd_runner.config.command_line import compose_overrides
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.base import Method
from gkd_runner.reporting.series import FIELDS, percent, records
from gkd_runner.reporting.text import Facts, group_name
from gkd_runner.results.compare import Comparison, baseline, mean, std
from gkd_runner.results.selection import GROUP, PLACE
from gkd_runner.studies import read_study
from gkd_runner.studies.inference import PLAIN, machines, own_model

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

Configuration = tuple[str, ...]
"""A configuration's group, dataset, setting, teacher and method."""


def read_inference(sources: Sequence[Path]) -> pd.DataFrame:
    """The measurements in output folders, where later folders replace earlier ones.

    Raises ``ReportError`` for a file of another form.
    """
    measured = read_study("inference", sources)
    return measured.assign(machine=machines(measured))


def timed_models(comparison: Comparison, measured: pd.DataFrame) -> dict[Configuration, str]:
    """The measured model whose time is that of each configuration's student; empty if none is.

    A student that was not measured itself is as fast as the plain MLP if it reads raw features and
    has as many parameters.
    """
    rows = comparison.summary.reset_index()
    plain = rows[rows["method"] == baseline()].set_index([*GROUP, *PLACE])["student_parameters"]
    sizes, models = plain.to_dict(), set(measured["model"])
    return {
        (group_name(row), *(row[name] for name in (*PLACE, "method"))): _model(row, sizes, models)
        for row in rows.to_dict("records")
    }


def _model(row: Facts, sizes: Mapping[tuple[str, ...], float], models: set[str]) -> str:
    own = own_model(row["method"])
    if own in models:
        return own
    size = sizes.get(tuple(row[name] for name in (*GROUP, *PLACE)))
    if size is None or not np.isclose(size, row["student_parameters"], rtol=0, equal_nan=True):
        return ""
    hops = row["changed"].get("method.propagation_hops", 0)
    return PLAIN if hops == 0 and reads_raw_features(row["method"]) else ""


@cache
def reads_raw_features(method: str) -> bool:
    """True if all students that the method may train read raw features, with its default options.

    False for a method that is not installed.
    """
    if method not in METHODS:
        return False
    own = build_method(compose_overrides([f"method={method}"]).method)
    raw = all(variant.propagation is None for variant in own.variants)
    return raw and METHODS[method].features is Method.features


def cost_records(
    series: pd.DataFrame, measured: pd.DataFrame, models: Mapping[Configuration, str]
) -> list[dict[str, Any]]:
    """One record per series, batch size (nodes per call) and machine that it was measured with.

    ``models`` are the ``timed_models`` of the students.
    """
    seeds = series.dropna(subset="score").groupby(FIELDS, sort=False)["score"]
    means, stds = seeds.agg(mean), seeds.agg(std)
    scores = pd.DataFrame({
        "score": percent(means), "below": percent(means - stds), "above": percent(means + stds),
    }).reset_index()  # fmt: skip
    names = scores[["group", *PLACE, "kind"]].itertuples(index=False, name=None)
    scores["model"] = [
        teacher if kind == "teacher" else models[group, dataset, setting, teacher, kind]
        for group, dataset, setting, teacher, kind in names
    ]
    megabytes = (measured["peak_bytes"] / 1e6).map(lambda value: round(value, 1))
    times = measured.assign(megabytes=megabytes).rename(columns=SHOWN_AS)
    place = [*PLACE, "model"]
    shown = ["seconds", "fast", "slow", "megabytes", "width", "batch", "machine"]
    beside = scores.merge(times[[*place, *shown]], on=place)
    return records(beside[[*FIELDS, *shown, "score", "below", "above"]])
