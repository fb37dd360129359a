"""Methods compared over all graphs of a group, in each setting and over all settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from gkd_runner.common.lazy import pd
from gkd_runner.results.bootstrap import Resamples
from gkd_runner.results.cells import Cells, checked, groups_of, shared_cells
from gkd_runner.results.compare import references
from gkd_runner.results.profiles import Profile, profile
from gkd_runner.results.ranks import Ranking, ranking
from gkd_runner.results.selection import SETTINGS, in_order
from gkd_runner.results.versus import Versus, best_of_each_cell, versus

ALL = "all"
"""Stands for all settings together."""


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """Methods compared over the cells of one group that all of them have run in.

    Attributes:
        names: ``protocol``, ``preset``, ``calibration`` and ``setting`` (or ``all``).
        cells: the scores compared, and what was left out.
    """

    names: Mapping[str, str]
    cells: Cells

    @cached_property
    def resamples(self) -> Resamples:
        """Resamples of graphs and units, for all intervals."""
        return Resamples(self.cells)

    @cached_property
    def ranking(self) -> Ranking:
        """Average ranks and their tests."""
        return ranking(self.cells)

    @cached_property
    def means(self) -> dict[str, float]:
        """The mean score of each method over graphs, the best first."""
        means = zip(self.cells.methods, self.cells.weights @ self.cells.means, strict=True)
        return dict(sorted(((m, float(v)) for m, v in means), key=lambda item: -item[1]))

    def best_other(self, method: str) -> str:
        """The method with the best mean score but for ``method``."""
        return next(name for name in self.means if name != method)

    @cached_property
    def versus(self) -> dict[tuple[str, str], Versus]:
        """Each method against each reference and against the best other one."""
        methods = self.cells.methods
        bases = [name for name in references() if name in methods]
        pairs = [
            (method, base)
            for method in methods
            for base in dict.fromkeys([*bases, self.best_other(method)])
            if base != method
        ]
        return dict(zip(pairs, versus(self.resamples, pairs), strict=True))

    def against(self, method: str, base: str) -> Versus:
        """Any two of the methods."""
        found = self.versus.get((method, base))
        return found or versus(self.resamples, [(method, base)])[0]

    def against_best(self, method: str) -> Versus:
        """``method`` against the best other method of each cell (``best_of_each_cell``)."""
        cells = best_of_each_cell(self.cells, method)
        return versus(Resamples(cells), [(cells.methods[0], cells.methods[1])])[0]

    def to_dataframe(self) -> pd.DataFrame:
        """A row per method: names, average rank, mean accuracy, and ``versus`` the best other one.

        Accuracies and differences are in [0, 1]; ``low`` and ``high`` are ends of 95% intervals.
        """
        return pd.DataFrame([self._row(method) for method in self.cells.methods])

    def _row(self, method: str) -> dict[str, object]:
        against = self.versus[method, self.best_other(method)]
        row = {
            **self.names,
            "method": method,
            "rank": self.ranking.ranks[method],
            "accuracy": self.means[method],
            "base": against.base,
        }
        for name in ("difference", "improvement"):
            mean, low, high = getattr(against, name)
            row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        return row | {"won": against.won, "tied": against.tied, "lost": against.lost}

    @cached_property
    def profile(self) -> Profile:
        """The performance profile."""
        return profile(self.resamples)


def compare_methods(
    selected: pd.DataFrame, methods: Iterable[str] | None = None
) -> Iterator[MethodComparison]:
    """For each group of ``selected`` runs: over all settings, and in each if there are several.

    ``methods`` are those to compare (``shared_cells``). Nothing comes of fewer than two methods,
    and of methods without a common cell. Raises ``ReportError`` for a method without a run.
    """
    chosen = None if methods is None else checked(methods, set(selected["method"]))
    for names, rows in groups_of(selected):
        settings = in_order(rows["setting"], SETTINGS)
        for setting in [ALL, *settings] if len(settings) > 1 else settings:
            here = rows if setting == ALL else rows[rows["setting"] == setting]
            present = set(here.dropna(subset="student_score")["method"])
            if chosen is not None and not present.issuperset(chosen):
                continue
            cells = shared_cells(here, chosen)
            if len(cells.methods) > 1 and cells.cells:
                yield MethodComparison(names | {"setting": setting}, cells)


def several_graphs(selected: pd.DataFrame) -> list[MethodComparison]:
    """The comparisons of ``compare_methods`` in one setting that have more than one graph."""
    return [
        each
        for each in compare_methods(selected)
        if each.names["setting"] != ALL and len(each.cells.graphs) > 1
    ]
