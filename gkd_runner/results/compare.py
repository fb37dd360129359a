"""Comparable results: which runs stand beside each other, and what their differences are worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from gkd_runner.methods import METHODS

TEACHERS = ("gcn", "sage", "gat")
SETTINGS = ("transductive", "inductive")
DATASETS = (
    "cora",
    "citeseer",
    "pubmed",
    "amazon-photo",
    "amazon-computers",
    "coauthor-cs",
    "coauthor-physics",
    "ogbn-arxiv",
    "ogbn-products",
)
"""Orders of blocks and columns. Names that are not listed come after these, by name."""

GROUP = ["protocol", "preset", "calibration"]
"""A table never mixes two groups."""

PLACE = ["dataset", "setting", "teacher"]
"""Methods compete in one place: a column of a block."""

CONFIGURATION = [*GROUP, *PLACE, "method"]

SIGNIFICANT = 0.05
"""Two methods tie unless the two-sided paired t test over seeds has a smaller p."""

TOLERANCE = 1.0
"""Points within which two accuracies agree, whatever their spread."""

FEWEST_GRAPHS = 3
"""Fewest graphs over which an average says anything about a claim over six or seven."""


class Difference(NamedTuple):
    """Paired differences A - B over ``n`` seeds, in accuracy ([0, 1]).

    ``won`` counts the positive ones. ``p`` belongs to the two-sided paired t test and is NaN for
    a single seed.
    """

    mean: float
    std: float
    won: int
    n: int
    p: float

    @property
    def is_tie(self) -> bool:
        """Whether the seeds cannot tell the two apart."""
        return not self.p < SIGNIFICANT


def paired(differences: Iterable[float]) -> Difference:
    """Summary of paired differences, one per seed."""
    values = np.round(np.fromiter(differences, dtype=np.float64), 12)  # 0.8 - 0.7 is 0.1
    n, mean, std = len(values), float(values.mean()), float(values.std())
    if n > 1 and std == 0:
        p = 0.0 if mean else 1.0
    else:
        p = float(stats.ttest_1samp(values, 0.0).pvalue) if n > 1 else float("nan")
    return Difference(mean, std, int((values > 0).sum()), n, p)


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Distinct ``names``: the ``known`` ones first and in their order, then the others by name."""
    distinct, listed = set(names), list(known)
    return [name for name in listed if name in distinct] + sorted(distinct - set(listed))


ORDERS: dict[str, Sequence[str]] = {
    "dataset": DATASETS,
    "setting": SETTINGS,
    "teacher": TEACHERS,
    "method": tuple(METHODS),
}


def in_rank(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The rows sorted by these columns, names in the order of tables."""

    def rank(column: pd.Series) -> Any:
        if column.name not in ORDERS:
            return column
        order = in_order(column, ORDERS[str(column.name)])
        return column.map({name: place for place, name in enumerate(order)})

    return rows.sort_values(list(by), key=rank, kind="stable")


def told_apart(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs; a dataset's name that stands for several graphs says which graph it is."""
    graphs = runs.groupby(["dataset", "protocol"])["graph"].transform("nunique")
    named = runs["dataset"] + " (" + runs["graph"].str[:4] + ")"
    return runs.assign(dataset=runs["dataset"].where(graphs <= 1, named))


def distils(method: str) -> bool:
    """Whether students of ``method`` learn from a teacher; methods that are not installed do."""
    return METHODS[method].distils if method in METHODS else True


def grouped(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs by the group that they are shown in.

    A baseline has no soft labels to calibrate: it stands beside the methods of either calibration
    wherever such were run, and under its own calibration elsewhere.
    """
    taught = runs["method"].map(distils).astype(bool)
    beside = ["protocol", "preset", *PLACE]
    groups = runs.loc[taught, [*beside, "calibration"]].drop_duplicates()
    baselines = runs[~taught].merge(groups, on=beside, how="left", suffixes=("_own", ""))
    baselines["calibration"] = baselines["calibration"].fillna(baselines["calibration_own"])
    return pd.concat([runs[taught], baselines[list(runs.columns)]], ignore_index=True)


def select(runs: pd.DataFrame, inductive_part: str = "test_hidden") -> pd.DataFrame:
    """One configuration per group, place and method, a row per seed.

    The configuration has the fewest changed options, then the most seeds, then the best
    validation accuracy. Under ``preset=common`` all methods of a place come from runs on the very
    same teachers. The new columns are ``others``, the number of configurations of that method
    that are not shown, and ``teacher_accuracy`` and ``student_accuracy``: over ``inductive_part``
    in the inductive setting, over all test nodes in the transductive one.
    """
    rows = grouped(told_apart(runs))
    chosen = [
        _chosen(here, same_teacher=preset == "common")
        for (_, preset, *_), here in rows.groupby([*GROUP, *PLACE], sort=False)
    ]
    selected = pd.concat(chosen) if chosen else rows.assign(others=0)
    inductive = selected["setting"] == "inductive"
    for stage in ("teacher", "student"):
        accuracy = selected[f"{stage}_test"].where(
            ~inductive, selected[f"{stage}_{inductive_part}"]
        )
        selected[f"{stage}_accuracy"] = accuracy
    return in_rank(selected, [*CONFIGURATION, "seed"]).reset_index(drop=True)


def _chosen(rows: pd.DataFrame, *, same_teacher: bool) -> pd.DataFrame:
    by_key = [
        found for _, found in rows.sort_values("seed", kind="stable").groupby("key", sort=False)
    ]
    families: list[list[pd.DataFrame]] = []
    for found in by_key:
        home = next((f for f in families if not same_teacher or _share_teachers(f, found)), None)
        if home is None:
            families.append([found])
        else:
            home.append(found)
    family = max(families, key=_worth)
    tried = rows.groupby("method")["key"].nunique()
    best: dict[str, pd.DataFrame] = {}
    for found in sorted(family, key=_preference, reverse=True):
        best.setdefault(found["method"].iloc[0], found)
    return pd.concat([found.assign(others=tried[method] - 1) for method, found in best.items()])


def _share_teachers(family: Sequence[pd.DataFrame], rows: pd.DataFrame) -> bool:
    """Whether seeds that both have come from the same teachers, and there are such seeds."""
    theirs = pd.concat(family).drop_duplicates("seed", keep="last").set_index("seed")["teacher_key"]
    shared = rows[rows["seed"].isin(theirs.index)]
    return len(shared) > 0 and bool((shared["seed"].map(theirs) == shared["teacher_key"]).all())


def _preference(rows: pd.DataFrame) -> tuple[int, int, float]:
    return -len(rows["changed"].iloc[0]), len(rows), float(rows["student_val"].sum())


def _worth(family: Sequence[pd.DataFrame]) -> tuple[int, int]:
    return len({rows["method"].iloc[0] for rows in family}), sum(map(len, family))


def summary(selected: pd.DataFrame) -> pd.DataFrame:
    """Mean, population std and number of seeds of both accuracies of each configuration."""
    accuracies = selected.groupby(CONFIGURATION, sort=False)[
        ["teacher_accuracy", "student_accuracy"]
    ]
    parts = {"mean": accuracies.mean(), "std": accuracies.std(ddof=0), "n": accuracies.count()}
    return pd.concat(parts, axis=1).swaplevel(axis=1).sort_index(axis=1)


def references() -> list[str]:
    """The methods that tables show the differences to."""
    return [name for name, method in METHODS.items() if method.is_reference]


def differences(selected: pd.DataFrame, base: str) -> pd.DataFrame:
    """Each student minus that of the method ``base``, or minus its own teacher (``teacher``).

    Paired over the seeds that both have on the same split; a row per configuration with the
    fields of ``Difference``, none where there is no pair. A baseline is not compared with a
    method that distils.
    """
    if base == "teacher":
        pairs = selected.assign(gap=selected["student_accuracy"] - selected["teacher_accuracy"])
    else:
        same = [*GROUP, *PLACE, "seed", "split_hash"]
        theirs = selected.loc[selected["method"] == base, [*same, "student_accuracy"]]
        pairs = selected.merge(theirs, on=same, suffixes=("", "_base"))
        pairs["gap"] = pairs["student_accuracy"] - pairs["student_accuracy_base"]
        apart = pairs["method"].map(lambda method: distils(method) or not distils(base))
        pairs = pairs[(pairs["method"] != base) & apart]
    gaps = pairs.dropna(subset="gap").groupby(CONFIGURATION, sort=False)["gap"]
    found = {configuration: paired(values) for configuration, values in gaps}
    index = pd.MultiIndex.from_tuples(found, names=CONFIGURATION) if found else None
    return pd.DataFrame(found.values(), index=index, columns=Difference._fields)


def emphasis(selected: pd.DataFrame) -> pd.Series:
    """``best`` and ``second`` of the methods of each place, by configuration; ties have no mark."""
    marks: dict[tuple[str, ...], str] = {}
    for place, rows in selected.groupby([*GROUP, *PLACE], sort=False):
        students = rows.dropna(subset="student_accuracy")
        means = students.groupby("method", sort=False)["student_accuracy"].mean()
        ranked = list(means.sort_values(ascending=False, kind="stable").index)
        if len(ranked) > 1 and _beats(students, ranked[0], ranked[1]):
            marks[(*place, ranked[0])] = "best"
            if len(ranked) == 2 or _beats(students, ranked[1], ranked[2]):
                marks[(*place, ranked[1])] = "second"
    return pd.Series(marks, dtype="string")


def _beats(rows: pd.DataFrame, a: str, b: str) -> bool:
    """Whether ``a`` is better on the seeds that both have, and no tie."""
    both = rows[rows["method"] == a].merge(rows[rows["method"] == b], on=["seed", "split_hash"])
    if both.empty:
        return False
    gap = paired(both["student_accuracy_x"] - both["student_accuracy_y"])
    return gap.mean > 0 and not gap.is_tie
