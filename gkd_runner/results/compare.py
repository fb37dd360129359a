"""Means, paired differences and marks of the runs that are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from gkd_runner.common.lazy import pd
from gkd_runner.methods import METHODS
from gkd_runner.options.metrics import METRICS
from gkd_runner.results.scores import STAGES
from gkd_runner.results.selection import CONFIGURATION, GROUP, PLACE, distils, select

SIGNIFICANT = 0.05
"""Two methods tie unless the two-sided paired t test has a smaller p."""

FEWEST_PAIRS = 3
"""Fewest pairs that a test and an interval are given for: two may be close by chance alone."""

TOLERANCE = 1.0
"""Points within which two accuracies agree, whatever their spread."""

FEWEST_GRAPHS = 3
"""Fewest graphs over which an average says anything about a claim over six or seven."""


class Difference(NamedTuple):
    """Paired differences A - B over ``n`` pairs, in accuracy or another metric ([0, 1]).

    A pair is a replica, or a split where there are several. ``won`` counts the positive ones.
    ``p`` belongs to the two-sided paired t test, and ``low`` and ``high`` are the ends of its 95%
    interval of the mean. All three are NaN below ``FEWEST_PAIRS`` and where all differences are
    equal, as their spread, which the test goes by, is then unknown.
    """

    mean: float
    std: float
    won: int
    n: int
    p: float
    low: float
    high: float


def paired(differences: Iterable[float]) -> Difference:
    """Summary of paired differences, one per pair."""
    values = np.round(np.fromiter(differences, dtype=np.float64), 12)  # 0.8 - 0.7 is 0.1
    n, mean, std = len(values), float(values.mean()), float(values.std())
    p = half = float("nan")
    if n >= FEWEST_PAIRS and np.ptp(values) > 0:  # std of equal values may be 1e-17
        error = std / np.sqrt(n - 1)  # of the mean; std is the population's
        # scipy.special, as scipy.stats takes a second to import
        p = float(2 * stdtr(n - 1, -abs(mean) / error))
        half = error * float(stdtrit(n - 1, 1 - SIGNIFICANT / 2))
    won = int((values > 0).sum())
    return Difference(mean, std, won, n, p, float(mean - half), float(mean + half))


def paired_by_split(gaps: pd.DataFrame) -> Difference:
    """``paired`` over the rows of ``gaps``: each a ``gap`` of a replica, with its ``split``.

    The seeds of one split share its training and test nodes and are not independent. Where there
    are several splits, each counts once, with the mean over its seeds.
    """
    values = gaps["gap"] if gaps["split"].nunique() == 1 else gaps.groupby("split")["gap"].mean()
    return paired(values)


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


def summary(selected: pd.DataFrame) -> pd.DataFrame:
    """A row per configuration: its scores, mark, notes' facts and runs.

    ``<stage>_mean``, ``<stage>_std`` (population) and ``<stage>_n`` are over the seeds that have
    the score (of ``metric``), ``seeds`` counts all replicas and ``splits`` their distinct splits.
    ``fewest_nodes`` and ``most_nodes`` are the numbers of nodes that one score is over. ``mark``
    is ``best``, ``second`` or empty. ``rank`` is that of the method in its place, 1 for the best
    mean; equal means share theirs. ``speed_up`` is the median of the teacher's time to answer for
    one node over the student's. ``runs`` are the distinct folders. Of the other columns, numbers
    are means over seeds and facts those of the configuration.
    """
    speed_ups = selected["teacher_answer_seconds"] / selected["student_answer_seconds"]
    # "run" as objects: pandas with pyarrow would turn tuples of text into lists
    runs = selected.astype({"run": object}).assign(speed_up=speed_ups)
    by = runs.groupby(CONFIGURATION, sort=False)
    columns: dict[str, Any] = {
        "seeds": by.size(),
        "splits": by["split"].nunique(),
        "runs": by["run"].agg(lambda runs: tuple(dict.fromkeys(runs))),
        "collapsed": by["collapsed_student"].sum(),
        "fewest_nodes": by["nodes"].min(),
        "most_nodes": by["nodes"].max(),
        "speed_up": by["speed_up"].median(),
    }
    for stage in ("teacher", "student"):
        score = by[f"{stage}_score"]
        columns[f"{stage}_mean"] = score.agg(mean)
        columns[f"{stage}_std"] = score.agg(std)
        columns[f"{stage}_n"] = score.count()
    in_place = columns["student_mean"].groupby(level=[*GROUP, *PLACE], sort=False)
    columns["rank"] = in_place.rank(ascending=False)
    facts = by[["hyperparameters", "changed", "others", "metric"]].first()
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
    "student_parameters",
    *(f"{stage}_{metric}" for stage in STAGES for metric in METRICS),
)
"""Columns of runs that ``summary`` gives the mean of."""


def differences(selected: pd.DataFrame, base: str) -> pd.DataFrame:
    """Each student minus that of the method ``base``, or minus its own teacher (``teacher``).

    Paired over the replicas that both have, on the same seed and split (``paired_by_split``); a
    row per configuration with the fields of ``Difference``, none where there is no pair. A baseline
    is not compared with a method that distils.
    """
    if base == "teacher":
        gaps = selected.assign(gap=selected["student_score"] - selected["teacher_score"])
    else:
        apart = selected["method"].map(lambda method: distils(method) or not distils(base))
        gaps = _gaps(selected[(selected["method"] != base) & apart].assign(base=base), selected)
    return _paired(gaps)


def _gaps(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``ours`` with their ``gap`` to the method in the column ``base``."""
    same = [*GROUP, *PLACE, "seed", "split", "split_hash"]
    theirs = theirs[[*same, "method", "student_score"]].rename(columns={"method": "base"})
    pairs = ours.merge(theirs, on=[*same, "base"], suffixes=("", "_base"))
    return pairs.assign(gap=pairs["student_score"] - pairs["student_score_base"])


def _paired(gaps: pd.DataFrame) -> pd.DataFrame:
    """``paired_by_split`` for each configuration."""
    by = gaps.dropna(subset="gap").groupby(CONFIGURATION, sort=False)[["gap", "split"]]
    rows = {names: paired_by_split(values) for names, values in by}
    levels: list[Any] = list(zip(*rows, strict=True)) or [[]] * len(CONFIGURATION)
    index = pd.MultiIndex.from_arrays(levels, names=CONFIGURATION)
    return pd.DataFrame(rows.values(), index=index, columns=Difference._fields)


def emphasis(selected: pd.DataFrame) -> pd.Series:
    """``best`` and ``second`` of the methods of each place, by configuration; ties have no mark."""
    students = selected.dropna(subset="student_score")
    means = students.groupby(CONFIGURATION, sort=False)["student_score"].mean()
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


def baseline() -> str:
    """The reference that learns from labels alone."""
    return next(name for name in references() if not distils(name))


@dataclass(frozen=True)
class Comparison:
    """Runs and all that tables and figures show of them.

    Attributes:
        runs: all runs, as ``load_runs`` gives them.
        selected: the runs that are shown (``select``).
        summary: a row per configuration (``summary``).
        gaps: ``differences`` to each of the bases: ``teacher`` and ``references()``.
        inductive_part: the test nodes that inductive scores are over.
        metric: the metric that all of these compare.
    """

    runs: pd.DataFrame
    selected: pd.DataFrame
    summary: pd.DataFrame
    gaps: dict[str, pd.DataFrame]
    inductive_part: str
    metric: str = "accuracy"

    def part(self, setting: str) -> str:
        """The test nodes that scores of a setting are over."""
        return self.inductive_part if setting == "inductive" else "test"


def compare(
    runs: pd.DataFrame, inductive_part: str = "test_hidden", metric: str = "accuracy"
) -> Comparison:
    """Select and summarize what is shown of ``runs``, by one of ``METRICS``."""
    selected = select(runs, inductive_part, metric)
    gaps = {base: differences(selected, base) for base in ("teacher", *references())}
    return Comparison(runs, selected, summary(selected), gaps, inductive_part, metric)
