"""The methods of one place in the order of their means, and which cannot be told from the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from gkd_runner.common.lazy import pd
from gkd_runner.results.compare import SIGNIFICANT, Difference, baseline, differences, mean, std


@dataclass(frozen=True)
class Score:
    """A student's test accuracy, or its score by another metric, in [0, 1].

    Mean and population std over ``n`` replicas.
    """

    method: str
    mean: float
    std: float
    n: int


def scores_of(here: pd.DataFrame) -> list[Score]:
    """The score of each method, the best mean first; of equal means that of the baseline last."""
    found = [
        Score(str(method), mean(rows["student_score"]), std(rows["student_score"]), len(rows))
        for method, rows in here.groupby("method", sort=False)
    ]
    return sorted(found, key=lambda score: (-score.mean, score.method == baseline()))


def level(methods: Sequence[str], here: pd.DataFrame) -> tuple[str, ...]:
    """The first of ``methods``, the best mean first, and those that are not told apart from it.

    These are all before the next one that a paired test finds worse than the first. A method with
    a lower mean than that one is not level, however much its scores vary.
    """
    first, *others = methods
    return (first, *takewhile(lambda other: not _beats(first, other, here), others))


def _beats(first: str, other: str, here: pd.DataFrame) -> bool:
    """True if a paired test finds ``first`` better than ``other``."""
    # no table shows the baseline minus a student: the difference is taken from the other side
    ours, base, sign = (other, first, -1) if first == baseline() else (first, other, 1)
    gap = minus(here[here["method"] == ours], here, base)
    return gap is not None and gap.p < SIGNIFICANT and sign * gap.mean > 0


def minus(ours: pd.DataFrame, here: pd.DataFrame, base: str) -> Difference | None:
    """The students of ``ours`` (one method) minus those of ``base``; ``None`` without a pair."""
    theirs = here[here["method"] == base]
    found = differences(pd.concat([ours, theirs]), base)
    found = found.drop(base, level="method", errors="ignore")
    rows = [Difference(*row) for row in found.itertuples(index=False, name=None)]
    return rows[0] if rows else None


def teachers(rows: pd.DataFrame) -> pd.DataFrame:
    """The teachers of these rows, as if they were students of a method of their own."""
    return rows.assign(method="teacher", student_score=rows["teacher_score"])
