"""The verdict over all graphs of a group: the best method, and where another one is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gkd_runner.common.lazy import pd
from gkd_runner.results.compare import Comparison, Difference, baseline, paired
from gkd_runner.results.selection import GROUP, PLACE, TEACHERS, distils, in_order
from gkd_runner.results.verdict import Verdict, verdicts

LINE = ["dataset", "setting"]
"""A verdict over teachers has one line for each of these."""

REPLICA = ["method", "seed", "split"]

AVERAGED = [
    "student_score",
    "teacher_score",
    "student_answer_seconds",
    "teacher_answer_seconds",
]


@dataclass(frozen=True)
class Overall:
    """The facts over the graphs of one protocol, preset and calibration.

    Attributes:
        names: these choices, by the names in ``GROUP``.
        graphs: a verdict per graph and setting, over their teachers (``graph_verdicts``).
        compared: the lines of ``graphs`` that have every one of the methods of ``over``.
        best: the method with the best mean over the graphs of ``compared``; ``None`` if there is
            no other to compare it with.
        over: ``best`` minus each other method, the one with the best mean first. A pair is a
            graph, with the mean of its settings.
    """

    names: Mapping[str, str]
    graphs: tuple[Verdict, ...]
    compared: int
    best: str | None
    over: Mapping[str, Difference]


def overalls(comparison: Comparison) -> list[Overall]:
    """The verdict over the graphs of each group, in the order of the groups' tables."""
    of_graphs = graph_verdicts(comparison)
    shown = pooled(comparison.selected)
    groups = shown[GROUP].drop_duplicates().to_dict("records")
    found = []
    for group in groups:
        here = tuple(v for v in of_graphs if all(v.names[name] == group[name] for name in GROUP))
        if here:
            found.append(_overall({str(k): str(v) for k, v in group.items()}, here, shown))
    return found


def graph_verdicts(comparison: Comparison) -> list[Verdict]:
    """The verdict on each graph and setting, over its teachers.

    Accuracies are means over the teachers that all methods have run with; ``names["teacher"]``
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


def _overall(
    names: Mapping[str, str], graphs: tuple[Verdict, ...], shown: pd.DataFrame
) -> Overall:
    """``shown`` is ``pooled``."""
    here = shown[(shown[list(names)] == pd.Series(names)).all(axis=1)]
    means = here.pivot_table(
        index=LINE, columns="method", values="student_score", aggfunc="mean", sort=False
    )
    while len(means.columns) and not len(means.dropna()):
        means = means.drop(columns=means.count().idxmin())
    means = means.dropna()
    by_graph = means.groupby(level="dataset", sort=False).mean()
    ranked = list(by_graph.mean().sort_values(ascending=False, kind="stable").index)
    if len(ranked) < 2:
        return Overall(names, graphs, len(means), None, {})
    best, *others = ranked
    over = {str(other): paired(by_graph[best] - by_graph[other]) for other in others}
    return Overall(names, graphs, len(means), str(best), over)
