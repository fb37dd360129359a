"""The cells in which methods are compared, with their scores on the same replicas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gkd_runner.common.errors import nearest
from gkd_runner.common.lazy import pd
from gkd_runner.results.compare import FEWEST_GRAPHS
from gkd_runner.results.frame import ReportError
from gkd_runner.results.selection import GROUP, ORDERS, PLACE, in_order, in_rank

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cell:
    """A graph, setting and teacher: ``scores`` ``[M, n]`` of M methods on n units, in [0, 1].

    A unit is a replica on which all methods have run. Where a cell has several splits it is a
    split, with the mean over its seeds, as these are not independent (``paired_by_split``).
    """

    dataset: str
    setting: str
    teacher: str
    scores: Floats


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells in which all of ``methods`` have run, in the order of tables.

    Attributes:
        methods: the methods compared, in the order of tables.
        cells: the cells in which all of them have a common replica.
        incomplete: the number of cells left out, as they lack one of ``methods``.
        left_out: the other methods, each with the number of cells in which it has run.
    """

    methods: tuple[str, ...]
    cells: tuple[Cell, ...]
    incomplete: int
    left_out: Mapping[str, int]

    @cached_property
    def graphs(self) -> tuple[str, ...]:
        """The distinct graphs, in order of appearance."""
        return tuple(dict.fromkeys(cell.dataset for cell in self.cells))

    @property
    def teachers(self) -> tuple[str, ...]:
        """The distinct teachers, in order of appearance."""
        return tuple(dict.fromkeys(cell.teacher for cell in self.cells))

    @cached_property
    def weights(self) -> Floats:
        """The share of each cell in a mean in which every graph counts the same, ``[cells]``."""
        datasets = [cell.dataset for cell in self.cells]
        return np.array([1 / (len(self.graphs) * datasets.count(name)) for name in datasets])

    @property
    def units(self) -> int:
        """The number of units of all cells."""
        return sum(cell.scores.shape[1] for cell in self.cells)

    @cached_property
    def means(self) -> Floats:
        """The mean score of each method in each cell, ``[cells, M]``."""
        return np.array([cell.scores.mean(axis=1) for cell in self.cells])

    def of_graph(self, graph: str) -> Floats:
        """The mean score of each method over the cells of ``graph``, ``[M]``."""
        rows = [cell.dataset == graph for cell in self.cells]
        return np.asarray(self.means[rows].mean(axis=0))


def shared_cells(selected: pd.DataFrame, methods: Iterable[str] | None = None) -> Cells:
    """The cells of ``selected`` runs (``select``; one group) in which all methods have run.

    Without ``methods``, all of them if they share cells on ``FEWEST_GRAPHS`` graphs, else those of
    the largest complete comparison: the methods with the most cells are taken one by one, and the
    number of them is kept at which methods times complete cells is largest (the larger number if
    two are equal). Raises ``ReportError`` for a method without a run.
    """
    unit = [*PLACE, "seed", "split", "split_hash"]
    shown = selected.dropna(subset="student_score")
    wide = shown.set_index([*unit, "method"])["student_score"].unstack("method")
    ran = wide.notna().groupby(level=PLACE, sort=False).any()  # cells x methods
    chosen = _largest(wide, ran) if methods is None else checked(methods, ran.columns)
    complete = wide[chosen].dropna()
    cells = tuple(_cells(complete))
    some = int(ran[chosen].any(axis=1).sum())
    others = in_order((name for name in ran.columns if name not in chosen), ORDERS["method"])
    left_out = {name: int(ran[name].sum()) for name in others}
    return Cells(tuple(chosen), cells, some - len(cells), left_out)


def _largest(wide: pd.DataFrame, ran: pd.DataFrame) -> list[str]:
    known = in_order(ran.columns, ORDERS["method"])
    by_cells = sorted(known, key=lambda name: -int(ran[name].sum()))

    def complete(count: int) -> pd.MultiIndex:
        units = wide[by_cells[:count]].dropna().index
        return units.droplevel(["seed", "split", "split_hash"]).unique()

    if complete(len(known)).unique("dataset").size >= FEWEST_GRAPHS:
        return known
    counts = range(1, len(known) + 1)
    best = max(counts, key=lambda count: (count * len(complete(count)), count), default=0)
    return in_order(by_cells[:best], ORDERS["method"])


def checked(methods: Iterable[str], known: Iterable[str]) -> list[str]:
    """The distinct ``methods``. Raises ``ReportError`` for one that is not ``known``."""
    known = in_order(known, ORDERS["method"])
    chosen = list(dict.fromkeys(methods))
    for name in chosen:
        if name not in known:
            raise ReportError(
                f"there is no run of method {name} to compare{nearest(name, known)}; there are runs"
                f" of {', '.join(known)}"
            )
    return chosen


def _cells(complete: pd.DataFrame) -> Iterable[Cell]:
    """The cells of ``complete``: a row per replica, a column per method."""
    for place, rows in in_rank(complete.reset_index(), PLACE).groupby(PLACE, sort=False):
        scores = rows.set_index("split")[list(complete.columns)]
        if scores.index.nunique() > 1:
            scores = scores.groupby(level="split").mean()
        values = np.round(scores.to_numpy(dtype=np.float64).T, 12)  # means of equal ones tie
        dataset, setting, teacher = map(str, place)
        yield Cell(dataset, setting, teacher, values)


def groups_of(selected: pd.DataFrame) -> Iterable[tuple[dict[str, str], pd.DataFrame]]:
    """The ``selected`` runs of each protocol, preset and calibration, with these names."""
    for names, rows in selected.groupby(GROUP, sort=False):
        yield dict(zip(GROUP, map(str, names), strict=True)), rows
