"""The verdict over all graphs of a group in one setting: the best method, and where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from gkd_runner.common.lazy import pd
from gkd_runner.results.bootstrap import Estimate
from gkd_runner.results.cells import groups_of
from gkd_runner.results.compare import Comparison, baseline
from gkd_runner.results.method_comparison import MethodComparison, compare_methods
from gkd_runner.results.selection import GROUP, PLACE, SETTINGS, TEACHERS, distils, in_order
from gkd_runner.results.verdict import Verdict, verdicts

LINE = ["dataset", "setting"]
"""A verdict over teachers has one line for each of these."""

REPLICA = ["method", "seed", "split"]

AVERAGED = [
    "student_score",
    "teacher_score",
    "student_answer_seconds",
    "teacher_answer_seconds",
    "student_seconds",
]


@dataclass(frozen=True, eq=False)
class Overall:
    """The facts over the graphs of one protocol, preset, calibration and setting.

    Settings stay apart: the method that is best for nodes known in training need not be the best
    for nodes that arrive later.

    Attributes:
        names: these choices, by the names in ``GROUP`` and ``setting``.
        graphs: a verdict per graph, over its teachers (``graph_verdicts``).
        methods: the methods over all cells that they share; ``None`` where no two share any.
    """

    names: Mapping[str, str]
    graphs: tuple[Verdict, ...]
    methods: MethodComparison | None

    @property
    def best(self) -> str | None:
        """The method with the best mean over the cells that methods share."""
        return next(iter(self.methods.means)) if self.methods else None

    @property
    def compared(self) -> int:
        """The number of graphs of these cells."""
        return len(self.methods.cells.graphs) if self.methods else 0

    @cached_property
    def over(self) -> dict[str, Estimate]:
        """``best`` minus each other method (``Versus.difference``), the best of them first."""
        if self.methods is None:
            return {}
        best, *others = self.methods.means
        return {other: self.methods.against(best, other).difference for other in others}

    @property
    def training(self) -> dict[str, dict[str, float]]:
        """Seconds of training a student, by method and graph.

        The method with the best mean comes first. They are over the graphs on which all of the
        methods compared have run and a time is known.
        """
        methods = list(self.methods.means) if self.methods else []
        known = [v for v in self.graphs if all(_trained(v, name) for name in methods)]
        return {
            name: {v.names["dataset"]: v.costs[name].training for v in known} for name in methods
        }


def _trained(verdict: Verdict, method: str) -> bool:
    return method in verdict.costs and verdict.costs[method].training > 0  # NaN is not


def overalls(comparison: Comparison) -> list[Overall]:
    """The verdict over the graphs of each group and setting, in the order of the tables."""
    of_graphs = graph_verdicts(comparison)
    found = []
    for group, rows in groups_of(comparison.selected):
        for setting in in_order(rows["setting"], SETTINGS):
            names = group | {"setting": setting}
            here = tuple(v for v in of_graphs if names.items() <= v.names.items())
            if here:
                compared = compare_methods(rows[rows["setting"] == setting])
                found.append(Overall(names, here, next(compared, None)))
    return found


def graph_verdicts(comparison: Comparison) -> list[Verdict]:
    """The verdict on each graph and setting, over its teachers.

    Scores are means over the teachers that all methods have run with; ``names["teacher"]``
    lists these.
    """
    return verdicts(replace(comparison, selected=pooled(comparison.selected)))


def pooled(selected: pd.DataFrame) -> pd.DataFrame:
    """The students of each seed and split, averaged over the teachers that all methods share."""
    shown = selected.dropna(subset="student_score")
    concerned = shown["method"].map(lambda name: name == baseline() or distils(name))
    shown = shown[concerned.astype(bool)]
    lines = [_shared(here) for _, here in shown.groupby([*GROUP, *LINE], sort=False)]
    return pd.concat([_averaged(rows) for rows in lines]) if lines else shown


def _shared(here: pd.DataFrame) -> pd.DataFrame:
    """The rows of one line whose teachers all methods have, for each seed and split."""
    by_method = here.groupby("method", sort=False)["teacher"]
    common = set.intersection(*(set(teachers) for _, teachers in by_method))
    most = here["teacher"].value_counts().index
    for teachers in (common, *({teacher} for teacher in most)):
        rows = here[here["teacher"].isin(teachers)]
        rows = rows[rows.groupby(REPLICA)["teacher"].transform("nunique") == len(teachers)]
        if len(rows):
            break
    return rows.assign(teacher=", ".join(in_order(rows["teacher"], TEACHERS)))


def _averaged(rows: pd.DataFrame) -> pd.DataFrame:
    by = rows.groupby([*GROUP, *PLACE, *REPLICA], sort=False)
    facts = by.first()
    return facts.assign(**{name: by[name].mean() for name in AVERAGED}).reset_index()
