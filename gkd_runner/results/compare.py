"""Comparable results: which runs stand beside each other, and what their differences are worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr

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
        """True if the seeds cannot tell the two apart."""
        return not self.p < SIGNIFICANT


def paired(differences: Iterable[float]) -> Difference:
    """Summary of paired differences, one per seed."""
    values = np.round(np.fromiter(differences, dtype=np.float64), 12)  # 0.8 - 0.7 is 0.1
    n, mean, std = len(values), float(values.mean()), float(values.std())
    if n < 2:
        p = float("nan")
    elif std == 0:
        p = 0.0 if mean else 1.0
    else:
        t = abs(mean) / (std / np.sqrt(n - 1))
        p = float(2 * stdtr(n - 1, -t))  # as scipy.stats, which takes a second to import
    return Difference(mean, std, int((values > 0).sum()), n, p)


def mean(values: pd.Series) -> float:
    """The mean of the values that are there.

    NumPy's sum, as for differences; that of pandas may differ in the last digit shown.
    """
    there = values.dropna().to_numpy(dtype=np.float64)
    return float(there.mean()) if len(there) else float("nan")


def std(values: pd.Series) -> float:
    """The population standard deviation of the values that are there."""
    there = values.dropna().to_numpy(dtype=np.float64)
    return float(there.std()) if len(there) else float("nan")


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
    """True if students of ``method`` learn from a teacher; assumed of unknown methods."""
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
    selected = rows.merge(_chosen(rows), on=[*CONFIGURATION, "key"])
    inductive = selected["setting"] == "inductive"
    for stage in ("teacher", "student"):
        accuracy = selected[f"{stage}_test"].where(
            ~inductive, selected[f"{stage}_{inductive_part}"]
        )
        selected[f"{stage}_accuracy"] = accuracy
    return in_rank(selected, [*CONFIGURATION, "seed"]).reset_index(drop=True)


def _chosen(rows: pd.DataFrame) -> pd.DataFrame:
    """The key that is shown of each configuration, with the number of ``others``."""
    by_key = rows.sort_values("seed", kind="stable").groupby([*CONFIGURATION, "key"], sort=False)
    keys = by_key.agg(
        changes=("changed", lambda changed: len(changed.iloc[0])),
        seeds=("seed", "size"),
        val=("student_val", "sum"),
    ).reset_index()
    keys["others"] = keys.groupby(CONFIGURATION)["key"].transform("size") - 1
    place = [*GROUP, *PLACE]
    keys["family"] = _families(rows, keys)
    families = keys.groupby([*place, "family"], sort=False).agg(
        methods=("method", "nunique"), seeds=("seeds", "sum")
    )
    largest = families.sort_values(["methods", "seeds"], ascending=False, kind="stable")
    largest = largest.reset_index()[[*place, "family"]].drop_duplicates(place)
    shown = keys.merge(largest, on=[*place, "family"]).sort_values(
        ["changes", "seeds", "val"], ascending=[True, False, False], kind="stable"
    )
    return shown.drop_duplicates(CONFIGURATION)[[*CONFIGURATION, "key", "others"]]


def _families(rows: pd.DataFrame, keys: pd.DataFrame) -> list[int]:
    """A number per row of ``keys``; methods of a place are compared within one number only.

    Under ``preset=common`` a family shares its teachers: a key joins the first family with which
    it has seeds in common, if all of these come from the same teachers.
    """
    taught: dict[str, dict[int, str]] = {}
    for key, seed, teacher in zip(rows["key"], rows["seed"], rows["teacher_key"], strict=True):
        taught.setdefault(key, {})[seed] = teacher
    families: dict[tuple[str, ...], list[dict[int, str]]] = {}
    numbers = []
    for row in keys.to_dict("records"):
        here = families.setdefault(tuple(row[name] for name in [*GROUP, *PLACE]), [])
        mine = taught[row["key"]]
        alike = (
            number
            for number, theirs in enumerate(here)
            if row["preset"] != "common" or _share_teachers(theirs, mine)
        )
        number = next(alike, len(here))
        if number == len(here):
            here.append({})
        here[number] |= mine
        numbers.append(number)
    return numbers


def _share_teachers(theirs: dict[int, str], mine: dict[int, str]) -> bool:
    shared = theirs.keys() & mine.keys()
    return bool(shared) and all(theirs[seed] == mine[seed] for seed in shared)


def summary(selected: pd.DataFrame) -> pd.DataFrame:
    """A row per configuration: its accuracies, mark, notes' facts and runs.

    ``<stage>_mean``, ``<stage>_std`` (population) and ``<stage>_n`` are over the seeds that have
    the accuracy, ``seeds`` counts all of them. ``mark`` is ``best``, ``second`` or empty. ``runs``
    are the distinct folders. Of the other columns, numbers are means over seeds and facts those
    of the configuration.
    """
    by = selected.groupby(CONFIGURATION, sort=False)
    columns: dict[str, Any] = {
        "seeds": by.size(),
        "runs": by["run"].agg(lambda runs: tuple(dict.fromkeys(runs))),
        "collapsed": by["collapsed_student"].sum(),
    }
    for stage in ("teacher", "student"):
        accuracy = by[f"{stage}_accuracy"]
        columns[f"{stage}_mean"] = accuracy.agg(mean)
        columns[f"{stage}_std"] = accuracy.agg(std)
        columns[f"{stage}_n"] = accuracy.count()
    facts = by[["hyperparameters", "changed", "others"]].first()
    marks = emphasis(selected).reindex(facts.index).fillna("").rename("mark")
    means = by[list(AVERAGED)].agg(mean)
    return pd.concat([pd.DataFrame(columns), facts, means, marks], axis=1)


AVERAGED = (
    "agreement",
    "kl",
    "accuracy_where_teacher_errs",
    "teacher_calibration_error",
    "student_calibration_error",
    "teacher_seconds",
    "student_seconds",
)
"""Columns of runs that ``summary`` gives the mean of."""


def differences(selected: pd.DataFrame, base: str) -> pd.DataFrame:
    """Each student minus that of the method ``base``, or minus its own teacher (``teacher``).

    Paired over the seeds that both have on the same split; a row per configuration with the
    fields of ``Difference``, none where there is no pair. A baseline is not compared with a
    method that distils.
    """
    if base == "teacher":
        gaps = selected.assign(gap=selected["student_accuracy"] - selected["teacher_accuracy"])
    else:
        apart = selected["method"].map(lambda method: distils(method) or not distils(base))
        gaps = _gaps(selected[(selected["method"] != base) & apart].assign(base=base), selected)
    return _paired(gaps)


def _gaps(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``ours`` with their ``gap`` to the method in the column ``base``."""
    same = [*GROUP, *PLACE, "seed", "split_hash"]
    theirs = theirs[[*same, "method", "student_accuracy"]].rename(columns={"method": "base"})
    pairs = ours.merge(theirs, on=[*same, "base"], suffixes=("", "_base"))
    return pairs.assign(gap=pairs["student_accuracy"] - pairs["student_accuracy_base"])


def _paired(gaps: pd.DataFrame) -> pd.DataFrame:
    """``paired`` for each configuration."""
    by = gaps.dropna(subset="gap").groupby(CONFIGURATION, sort=False)["gap"]
    rows = {names: paired(values) for names, values in by}
    levels: list[Any] = list(zip(*rows, strict=True)) or [[]] * len(CONFIGURATION)
    index = pd.MultiIndex.from_arrays(levels, names=CONFIGURATION)
    return pd.DataFrame(rows.values(), index=index, columns=Difference._fields)


def emphasis(selected: pd.DataFrame) -> pd.Series:
    """``best`` and ``second`` of the methods of each place, by configuration; ties have no mark."""
    students = selected.dropna(subset="student_accuracy")
    means = students.groupby(CONFIGURATION, sort=False)["student_accuracy"].mean()
    ranked = means.sort_values(ascending=False, kind="stable").reset_index()
    by_place = ranked.groupby([*GROUP, *PLACE], sort=False)
    ranked = ranked.assign(rank=by_place.cumcount(), base=by_place["method"].shift(-1))
    ranked = ranked.set_index(CONFIGURATION)
    ahead = _paired(_gaps(students.join(ranked["base"], on=CONFIGURATION), students))
    better = ahead[(ahead["mean"] > 0) & (ahead["p"] < SIGNIFICANT)].index
    ranked["ahead"] = ranked.index.isin(better)
    best = (ranked["rank"] == 0) & ranked["ahead"]
    of_place = best.groupby(level=[*GROUP, *PLACE]).transform("any")
    second = (ranked["rank"] == 1) & (ranked["ahead"] | ranked["base"].isna()) & of_place
    marks = pd.Series("", index=ranked.index).mask(best, "best").mask(second, "second")
    return marks[marks != ""]


def references() -> list[str]:
    """The methods that tables show the differences to."""
    return [name for name, method in METHODS.items() if method.is_reference]


@dataclass(frozen=True)
class Comparison:
    """Runs and all that tables and figures show of them.

    Attributes:
        runs: all runs, as ``load_runs`` gives them.
        selected: the runs that are shown (``select``).
        summary: a row per configuration (``summary``).
        gaps: ``differences`` to each of the bases: ``teacher`` and ``references()``.
        inductive_part: the test nodes that inductive accuracies are over.
    """

    runs: pd.DataFrame
    selected: pd.DataFrame
    summary: pd.DataFrame
    gaps: dict[str, pd.DataFrame]
    inductive_part: str

    def part(self, setting: str) -> str:
        """The test nodes that accuracies of a setting are over."""
        return self.inductive_part if setting == "inductive" else "test"


def compare(runs: pd.DataFrame, inductive_part: str = "test_hidden") -> Comparison:
    """Select and summarize what is shown of ``runs``."""
    selected = select(runs, inductive_part)
    gaps = {base: differences(selected, base) for base in ("teacher", *references())}
    return Comparison(runs, selected, summary(selected), gaps, inductive_part)
