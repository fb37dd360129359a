"""Which results may be compared, and what a difference between two of them is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gkd_runner.reporting.rows import Row

METHODS = ("mlp", "glnn", "hgmd-weight", "hgmd-mixup", "infgrand")
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
"""Orders of rows, blocks and columns; what is not listed comes after, by name."""

SIGNIFICANT = 0.05
"""Largest p of the two-sided paired t test over seeds at which two methods are no tie."""


@dataclass(frozen=True)
class Group:
    """What one table may hold: a table never mixes two protocols, presets or calibrations."""

    protocol: str
    preset: str
    calibration: str

    @property
    def name(self) -> str:
        """As in ``infgrand/common/temperature``."""
        return f"{self.protocol}/{self.preset}/{self.calibration}"

    @property
    def title(self) -> str:
        """The heading of what it holds."""
        return f"{self.protocol} protocol, preset={self.preset}, calibration={self.calibration}"


@dataclass(frozen=True)
class Place:
    """Where methods compete: a column of a block."""

    dataset: str
    setting: str
    teacher: str


@dataclass(frozen=True)
class Result:
    """The seeds of one configuration; ``others`` more were run for its cell and are not shown."""

    rows: tuple[Row, ...]
    others: int

    def values(self, stage: str, part: str) -> dict[int, float]:
        """Accuracy per seed, of ``teacher`` or ``student``; empty where the part has no nodes."""
        found = {row.seed: row.accuracy(stage, part) for row in self.rows}
        return {seed: value for seed, value in found.items() if value is not None}

    def mean(self, stage: str, part: str) -> float | None:
        """Mean accuracy over seeds; ``None`` where the part has no nodes."""
        values = self.values(stage, part)
        return float(np.mean(list(values.values()))) if values else None

    def std(self, stage: str, part: str) -> float:
        """Population deviation over seeds of an accuracy that is there."""
        return float(np.std(list(self.values(stage, part).values())))


@dataclass(frozen=True)
class Difference:
    """A minus B over the seeds that both have on the same split, in accuracy ([0, 1]).

    ``p`` is that of the two-sided paired t test; ``None`` below two seeds.
    """

    mean: float
    std: float
    won: int
    n: int
    p: float | None

    @property
    def is_tie(self) -> bool:
        """Whether the seeds do not tell the two apart."""
        return self.p is None or self.p >= SIGNIFICANT


Results = Mapping[Place, Mapping[str, Result]]


def in_order(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Distinct ``names``, the ``known`` ones first and in their order."""
    found = set(names)
    return [name for name in known if name in found] + sorted(found - set(known))


def groups(rows: Sequence[Row]) -> dict[Group, list[Row]]:
    """The rows that each table may draw on.

    A baseline (``mlp``) has no soft labels to calibrate: it stands beside the methods of either
    calibration wherever such were run, and under its own elsewhere.
    """
    found: dict[Group, list[Row]] = {}
    for row in rows:
        if row.method != "mlp":
            found.setdefault(_group(row), []).append(row)
    places = {group: {_place(row) for row in mine} for group, mine in found.items()}
    for row in rows:
        if row.method == "mlp":
            beside = [
                group
                for group, taught in places.items()
                if (group.protocol, group.preset) == (row.protocol, row.preset)
                and _place(row) in taught
            ]
            for group in beside or [_group(row)]:
                found.setdefault(group, []).append(row)
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


def _group(row: Row) -> Group:
    return Group(row.protocol, row.preset, row.calibration)


def _place(row: Row) -> Place:
    return Place(row.dataset, row.setting, row.teacher)


def select(rows: Iterable[Row], *, same_teacher: bool) -> dict[Place, dict[str, Result]]:
    """One configuration per place and method.

    The one with the fewest changed options, then the most seeds, then the best validation. With
    ``same_teacher``, all methods of a place are taken from runs on the very same teachers.
    """
    places: dict[Place, list[Row]] = {}
    for row in rows:
        places.setdefault(_place(row), []).append(row)
    return {place: _select(found, same_teacher) for place, found in places.items()}


def _select(rows: Sequence[Row], same_teacher: bool) -> dict[str, Result]:
    by_key: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.seed):
        by_key.setdefault(row.key, []).append(row)
    families: list[list[list[Row]]] = []
    for found in by_key.values():
        home = next((f for f in families if not same_teacher or _share_teachers(f, found)), None)
        if home is None:
            families.append([found])
        else:
            home.append(found)
    family = max(families, key=_worth)
    chosen: dict[str, Result] = {}
    for method in in_order({found[0].method for found in family}, METHODS):
        mine = [found for found in family if found[0].method == method]
        best = max(mine, key=_preference)
        others = sum(found[0].method == method for found in by_key.values()) - 1
        chosen[method] = Result(tuple(best), others)
    return chosen


def _share_teachers(family: Sequence[Sequence[Row]], rows: Sequence[Row]) -> bool:
    """Whether seeds that both have come from the same teachers, and there are such seeds."""
    theirs = {row.seed: row.teacher_key for found in family for row in found}
    shared = [row for row in rows if row.seed in theirs]
    return bool(shared) and all(row.teacher_key == theirs[row.seed] for row in shared)


def _preference(rows: Sequence[Row]) -> tuple[int, int, float]:
    """The preset as it is before changed options, many seeds before few, then validation."""
    return -len(rows[0].changed), len(rows), sum(row.student_val for row in rows)


def _worth(family: Sequence[Sequence[Row]]) -> tuple[int, int]:
    return len({found[0].method for found in family}), sum(map(len, family))


def difference(a: Result, b: Result, part: str, *, to_teacher: bool = False) -> Difference | None:
    """Student of ``a`` minus student of ``b`` (or ``b``'s teacher); ``None`` without a pair."""
    splits = {row.seed: row.split_hash for row in b.rows}
    ours, theirs = a.values("student", part), b.values("teacher" if to_teacher else "student", part)
    pairs = [
        ours[row.seed] - theirs[row.seed]
        for row in a.rows
        if splits.get(row.seed) == row.split_hash and row.seed in ours and row.seed in theirs
    ]
    return paired(pairs) if pairs else None


def paired(differences: Sequence[float]) -> Difference:
    """Summary of paired differences, one per seed."""
    values = np.round(np.asarray(differences, dtype=np.float64), 12)  # 0.8 - 0.7 is 0.1
    n, mean, std = len(values), float(values.mean()), float(values.std())
    p = None
    if n > 1 and std == 0:
        p = 0.0 if mean else 1.0
    elif n > 1:
        p = float(2 * stats.t.sf(abs(mean) / (std / np.sqrt(n - 1)), n - 1))
    return Difference(mean, std, int((values > 0).sum()), n, p)


def emphasis(results: Mapping[str, Result], part: str) -> dict[str, str]:
    """``best`` and ``second`` of the methods of one place; neither where it would be a tie."""
    means = {
        method: mean
        for method, result in results.items()
        if (mean := result.mean("student", part)) is not None
    }
    ranked = sorted(means, key=means.__getitem__, reverse=True)
    if len(ranked) < 2 or not _beats(results, ranked[0], ranked[1], part):
        return {}
    marks = {ranked[0]: "best"}
    if len(ranked) == 2 or _beats(results, ranked[1], ranked[2], part):
        marks[ranked[1]] = "second"
    return marks


def _beats(results: Mapping[str, Result], a: str, b: str, part: str) -> bool:
    """Whether ``a`` is better on the seeds that both have, and no tie."""
    found = difference(results[a], results[b], part)
    return found is not None and found.mean > 0 and not found.is_tie
