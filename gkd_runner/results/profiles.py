"""Performance profiles: how often a method comes close to the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gkd_runner.results.bootstrap import Estimate, Resamples
from gkd_runner.results.cells import Cell, Floats

DISTANCES = tuple(step / 4 for step in range(41))
"""Points from the best score: 0 to 10."""


@dataclass(frozen=True)
class Profile:
    """For each method, the share of runs within each distance of the best.

    The best is the method with the highest score on the same replica of the same cell, of those
    compared. Every cell counts the same. The intervals hold for each distance alone.

    Attributes:
        distances: distances in points (scores in %).
        shares: for each method, its share in [0, 1] at each of ``distances``.
    """

    distances: tuple[float, ...]
    shares: Mapping[str, tuple[Estimate, ...]]


def profile(resamples: Resamples, distances: Sequence[float] = DISTANCES) -> Profile:
    """The performance profile of the methods of ``resamples.cells``."""

    def within(cell: Cell, shares: Floats) -> Floats:
        behind = 100 * (cell.scores.max(axis=0) - cell.scores)  # [M, n]
        reached = np.round(behind, 10)[:, None, :] <= np.array(distances)[None, :, None]
        return np.asarray(shares @ reached.reshape(-1, behind.shape[1]).T)

    estimates, count = resamples.estimates(within, 0.0, 1.0), len(distances)
    methods = resamples.cells.methods
    shares = {
        name: tuple(estimates[number * count : (number + 1) * count])
        for number, name in enumerate(methods)
    }
    return Profile(tuple(distances), shares)
