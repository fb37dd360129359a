"""Average ranks of methods over graphs, and which of them cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from gkd_runner.results.cells import Cells
from gkd_runner.results.compare import FEWEST_GRAPHS, SIGNIFICANT

FEWEST_METHODS = 3
"""Fewest methods that the Friedman test compares."""


@dataclass(frozen=True)
class Ranking:
    """Average ranks over graphs, the Friedman test and Nemenyi's test after it.

    The cells of one graph are not independent. So a graph is one block: its methods are ranked by
    their mean score over its cells; 1 is the best, and ties share their ranks.

    Attributes:
        ranks: the average rank of each method, the best first.
        graphs: the number of graphs.
        friedman: the chi-squared statistic of the Friedman test.
        p: its p-value: small if the methods are not all alike.
        critical_difference: difference of two average ranks above which Nemenyi's test tells the
            methods apart (p < 0.05; Demsar, Statistical Comparisons of Classifiers over Multiple
            Data Sets, 2006).
        groups: the largest groups of methods that are not told apart, each the best first: by
            Nemenyi's test, or all methods where the Friedman test has p >= 0.05.

    The tests are NaN, and there are no groups, below ``FEWEST_METHODS`` and ``FEWEST_GRAPHS``,
    and where all methods tie on all graphs.
    """

    ranks: Mapping[str, float]
    graphs: int
    friedman: float
    p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]

    def p_value(self, one: str, other: str) -> float:
        """The p-value of Nemenyi's test of two methods."""
        if math.isnan(self.p):
            return math.nan
        scaled = abs(self.ranks[one] - self.ranks[other]) / self._scale
        return float(studentized_range.sf(scaled, len(self.ranks), math.inf))

    def tells_apart(self, one: str, other: str) -> bool:
        """True if the tests find two methods to differ: no group has both."""
        return bool(self.groups) and not any({one, other} <= set(group) for group in self.groups)

    @property
    def _scale(self) -> float:
        return _scale(len(self.ranks), self.graphs)


def ranking(cells: Cells) -> Ranking:
    """The ranking of the methods of ``cells``."""
    blocks = np.array([cells.of_graph(graph) for graph in cells.graphs])
    # means of equal scores tie, whatever the order of their sum
    ranked = np.array([rankdata(-np.round(block, 12)) for block in blocks])
    average = dict(zip(cells.methods, map(float, ranked.mean(axis=0)), strict=True))
    in_order = dict(sorted(average.items(), key=lambda item: item[1]))
    graphs, methods = ranked.shape
    few = graphs < FEWEST_GRAPHS or methods < FEWEST_METHODS
    if few or (np.ptp(ranked, axis=1) == 0).all():
        return Ranking(in_order, graphs, math.nan, math.nan, math.nan, ())
    statistic, p = friedmanchisquare(*ranked.T)
    quantile = float(studentized_range.ppf(1 - SIGNIFICANT, methods, math.inf))
    limit = quantile * _scale(methods, graphs)
    groups = tuple(_groups(in_order, limit)) if p < SIGNIFICANT else (tuple(in_order),)
    return Ranking(in_order, graphs, float(statistic), float(p), limit, groups)


def _scale(methods: int, graphs: int) -> float:
    """Standard error of an average rank, by which Nemenyi's test divides differences."""
    return math.sqrt(methods * (methods + 1) / (12 * graphs))


def _groups(ranks: Mapping[str, float], limit: float) -> Iterator[tuple[str, ...]]:
    """The longest runs of methods, by rank, whose ends differ by no more than ``limit``."""
    names, values = list(ranks), list(ranks.values())
    reached = 0
    for first in range(len(names)):
        end = _end(values, first, limit)
        if end > reached:
            yield tuple(names[first:end])
        reached = max(reached, end)


def _end(values: Sequence[float], first: int, limit: float) -> int:
    return sum(value - values[first] <= limit for value in values)
