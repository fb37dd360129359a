"""Which classes are taken for which: the confusion matrix of each configuration's students."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gkd_runner.reporting.series import FIELDS, records
from gkd_runner.results.metrics import f1_per_class
from gkd_runner.results.selection import PLACE


def class_records(series: pd.DataFrame, selected: pd.DataFrame) -> list[dict[str, Any]]:
    """A record per configuration whose students all have a confusion matrix.

    The method with the best mean comes first in each place. The lists of a record have an entry per
    pair of a true and a predicted class that occurs: ``model`` is ``student`` or, if the matrices
    of its teachers are known, ``teacher``; ``row`` and ``predicted`` are the numbers of the
    classes, ``true`` names the true one with its F1 in %, ``count`` is the number of test nodes
    over all seeds, and ``share`` that of the true class's nodes in %.
    """
    known = selected[["run", "seed", *MATRICES.values()]].dropna(subset=MATRICES["student"])
    students = series[series["stage"] == "student"].merge(
        known.drop_duplicates(["run", "seed"]), on=["run", "seed"], how="left"
    )
    rows = [
        seeds.iloc[0][FIELDS].to_dict() | _record(seeds)
        for _, seeds in _best_first(students).groupby(FIELDS, sort=False)
        if seeds[MATRICES["student"]].notna().all()
    ]
    return records(pd.DataFrame(rows))


MATRICES = {"student": "student_confusion", "teacher": "teacher_confusion"}


def _best_first(students: pd.DataFrame) -> pd.DataFrame:
    place = students.groupby(["group", *PLACE], sort=False).ngroup()
    means = students.groupby(FIELDS, sort=False)["score"].transform("mean")
    ranked = students.assign(place=place, mean=-means)
    return ranked.sort_values(["place", "mean"], kind="stable")


def _record(seeds: pd.DataFrame) -> dict[str, list[Any]]:
    lists: dict[str, list[Any]] = {}
    for model, column in MATRICES.items():
        if seeds[column].notna().all():
            for name, values in _lists(np.sum(list(seeds[column]), axis=0), model).items():
                lists.setdefault(name, []).extend(values)
    return lists


def _lists(counts: npt.NDArray[Any], model: str) -> dict[str, list[Any]]:
    true, predicted = np.nonzero(counts)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [f"{number}, F1 {100 * f1:.1f}" for number, f1 in enumerate(f1_per_class(counts))]
    return {
        "model": [model] * len(true),
        "row": true.tolist(),
        "true": [names[number] for number in true],
        "predicted": predicted.tolist(),
        "count": counts[true, predicted].tolist(),
        "share": shares[true, predicted].round(1).tolist(),
    }
