"""Which classes are taken for which: the confusion matrix of each configuration's students."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gkd_runner.reporting.series import FIELDS, records
from gkd_runner.results.metrics import f1_per_class


def class_records(series: pd.DataFrame, selected: pd.DataFrame) -> list[dict[str, Any]]:
    """A record per configuration whose students all have a confusion matrix.

    Its lists have an entry per pair of a true and a predicted class that occurs: ``row`` and
    ``predicted`` are the numbers of the classes, ``true`` names the true one with its F1 in %,
    ``count`` is the number of test nodes over all seeds, and ``share`` that of the true class's
    nodes in %.
    """
    known = selected[["run", "seed", "student_confusion"]].dropna().drop_duplicates(["run", "seed"])
    students = series[series["stage"] == "student"].merge(known, on=["run", "seed"], how="left")
    rows = [
        seeds.iloc[0][FIELDS].to_dict() | _record(np.sum(list(seeds["student_confusion"]), axis=0))
        for _, seeds in students.groupby(FIELDS, sort=False)
        if seeds["student_confusion"].notna().all()
    ]
    return records(pd.DataFrame(rows))


def _record(counts: npt.NDArray[Any]) -> dict[str, list[Any]]:
    true, predicted = np.nonzero(counts)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [_name(number, f1) for number, f1 in enumerate(f1_per_class(counts))]
    return {
        "row": true.tolist(),
        "true": [names[number] for number in true],
        "predicted": predicted.tolist(),
        "count": counts[true, predicted].tolist(),
        "share": shares[true, predicted].round(1).tolist(),
    }


def _name(number: int, f1: float) -> str:
    return f"class {number}, F1 {100 * f1:.1f}"
