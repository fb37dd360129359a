"""The data of figures and learning curves: one row per seed of each model, and the names shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from gkd_runner.reporting.text import group_name, own_teacher
from gkd_runner.results.compare import Comparison, mean
from gkd_runner.results.selection import GROUP, ORDERS, PLACE, distils, in_order

FIELDS = ["group", *PLACE, "method", "series", "kind", "panel"]
"""The columns that name a series. The page's filters act on the first five."""


@dataclass(frozen=True)
class Names:
    """The names that occur, in the order of rows, panels and legends."""

    datasets: list[str]
    settings: list[str]
    teachers: list[str]
    methods: list[str]

    @property
    def kinds(self) -> list[str]:
        """The kinds of models; each has a colour."""
        return ["teacher", *self.methods]

    @property
    def labels(self) -> list[str]:
        """The labels of all series."""
        return ["teacher", *(name for m in self.methods for name in (own_teacher(m), m))]

    @property
    def panels(self) -> list[str]:
        """The titles of all small multiples."""
        return [f"{dataset}, {setting}" for setting in self.settings for dataset in self.datasets]


def names_of(comparison: Comparison) -> Names:
    """The names in the runs that are shown."""
    columns = ("dataset", "setting", "teacher", "method")
    return Names(*(in_order(comparison.selected[name], ORDERS[name]) for name in columns))


def series_of(comparison: Comparison) -> pd.DataFrame:
    """A row per seed of each series: ``FIELDS``, ``stage``, ``score`` and ``val`` (accuracy).

    A series is a student, whose ``kind`` is its method, or a teacher. Teachers come before the
    students of their place; one that all methods share has an empty ``method``.
    """
    rows = comparison.selected
    students = rows.assign(
        group=[group_name(row) for row in rows[GROUP].to_dict("records")],
        panel=rows["dataset"] + ", " + rows["setting"],
        series=rows["method"],
        kind=rows["method"],
        stage="student",
        score=rows["student_score"],
        val=rows["student_val"],
    )
    parts = [
        part
        for _, here in students.groupby([*GROUP, *PLACE], sort=False)
        for part in (_teachers(here), here)
    ]
    return pd.concat(parts)[[*FIELDS, "stage", "seed", "score", "val", "run", "folder"]]


def _teachers(students: pd.DataFrame) -> pd.DataFrame:
    """The one teacher of all methods (the one with the most seeds), or each method's own."""
    distilled = students[students["method"].map(distils).astype(bool)]
    taught = students if distilled.empty else distilled
    teachers = taught[["seed", "split", "teacher_key"]].drop_duplicates()
    if not teachers.duplicated(["seed", "split"]).any():
        most_seeds = taught.groupby("method", sort=False).size().idxmax()
        taught = taught[taught["method"] == most_seeds].assign(series="teacher", method="")
    else:
        taught = taught.assign(series=taught["method"].map(own_teacher))
    return taught.assign(
        kind="teacher", stage="teacher",
        score=taught["teacher_score"], val=taught["teacher_val"],
    )  # fmt: skip


def seed_records(series: pd.DataFrame) -> list[dict[str, Any]]:
    """The score of each seed, and the mean of its series, in %."""
    seeds = series.dropna(subset="score")
    means = seeds.groupby(FIELDS, sort=False)["score"].transform(mean)
    seeds = seeds.assign(score=percent(seeds["score"]), mean=percent(means))
    return records(seeds[[*FIELDS, "seed", "score", "mean"]])


def percent(scores: pd.Series) -> pd.Series:
    """Scores in %, with two decimals."""
    return (100 * scores).map(lambda value: round(value, 2))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A dictionary per row. Empty names are left out, so that the page's filters skip them."""
    return [{name: v for name, v in row.items() if v != ""} for row in frame.to_dict("records")]
