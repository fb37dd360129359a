"""Two methods against each other over cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gkd_runner.results.bootstrap import Estimate, Resamples
from gkd_runner.results.cells import Cell, Cells, Floats
from gkd_runner.results.compare import SIGNIFICANT, paired

BEST = "best of each cell"
"""Stands for the best other method, which may be another one in each cell."""


@dataclass(frozen=True)
class Versus:
    """A method against a ``base`` over all cells; every graph counts the same.

    Attributes:
        difference: the mean of the paired differences method - base, in [-1, 1].
        improvement: the probability of improvement: that a run of ``method`` has a higher score
            than one of ``base`` in the same cell, ties half (the Mann-Whitney statistic over its
            largest value; Agarwal et al., Deep RL at the Edge of the Statistical Precipice, 2021).
        won: cells where ``method`` is significantly better by the paired t test.
        lost: cells where it is significantly worse.
        tied: all other cells.
    """

    method: str
    base: str
    difference: Estimate
    improvement: Estimate
    won: int
    tied: int
    lost: int

    @property
    def sign(self) -> int:
        """1 or -1 where the interval of the difference excludes 0, else 0."""
        return int(self.difference.low > 0) - int(self.difference.high < 0)

    @property
    def includes_zero(self) -> bool:
        """True if the difference has an interval and 0 lies within."""
        return self.difference.low <= 0 <= self.difference.high


def versus(resamples: Resamples, pairs: Sequence[tuple[str, str]]) -> list[Versus]:
    """Each pair of a method and a base."""
    cells = resamples.cells
    if not pairs:
        return []
    numbers = [(cells.methods.index(a), cells.methods.index(b)) for a, b in pairs]
    ours, theirs = map(list, zip(*numbers, strict=True))

    def differences(cell: Cell, shares: Floats) -> Floats:
        return np.asarray(shares @ (cell.scores[ours] - cell.scores[theirs]).T)

    def improvements(cell: Cell, shares: Floats) -> Floats:
        better = (ahead(cell.scores[a], cell.scores[b]) for a, b in numbers)
        return np.stack([((shares @ share) * shares).sum(axis=1) for share in better], axis=1)

    rows = zip(
        pairs,
        resamples.estimates(differences),
        resamples.estimates(improvements, 0.0, 1.0),
        (_record(cells, a, b) for a, b in numbers),
        strict=True,
    )
    return [Versus(*pair, gap, chance, *record) for pair, gap, chance, record in rows]


def ahead(ours: Floats, theirs: Floats) -> Floats:
    """``[n, m]``: 1 where a value of ``ours`` is above one of ``theirs``, a half where equal."""
    gaps = ours[:, None] - theirs[None, :]
    return np.asarray((1 + np.sign(gaps)) / 2)


def _record(cells: Cells, ours: int, theirs: int) -> tuple[int, int, int]:
    """Cells won, tied and lost significantly."""
    gaps = [paired(cell.scores[ours] - cell.scores[theirs]) for cell in cells.cells]
    significant = [gap.mean > 0 for gap in gaps if gap.p < SIGNIFICANT]
    won = sum(significant)
    return won, len(gaps) - len(significant), len(significant) - won


def best_of_each_cell(cells: Cells, method: str) -> Cells:
    """Two methods: ``method``, and in each cell the other one with the best mean score there.

    As that one is chosen by the scores that it is compared by, it is somewhat lucky: a
    difference to it is rather too small.
    """
    own = cells.methods.index(method)

    def pair(cell: Cell) -> Cell:
        means = cell.scores.mean(axis=1)
        means[own] = -np.inf
        return replace(cell, scores=cell.scores[[own, int(means.argmax())]])

    return replace(cells, methods=(method, BEST), cells=tuple(map(pair, cells.cells)))
