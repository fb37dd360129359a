"""Table and sentences of the influence study."""

from __future__ import annotations

import pandas as pd
from rich.table import Table

from gkd_runner.results.compare import PLACE, in_rank
from gkd_runner.studies.measurements import Form
from gkd_runner.studies.sweep import wide
from gkd_runner.studies.training_subset import GROUPINGS, SIDES
from gkd_runner.studies.wording import gaps, percent, points, study_table, verdict, won

FORM = Form(
    columns={
        **dict.fromkeys(("dataset", "protocol", "setting", "teacher"), "string"),
        "layers": "Int64",
        "hidden_dim": "Int64",
        "grouping": "string",
        "side": "string",
        "nodes": "int64",
        "classes": "int64",
        "seed": "int64",
        "measure": "string",
        "value": "float64",
        "repeats": "int64",
        "threads": "int64",
        "device": "string",
        "commit": "string",
        "configuration": "string",
    },
    scope=("dataset", "protocol", "setting", "teacher"),
    index=("grouping", "side", "seed", "measure"),
)
"""One measurement per row; columns that do not apply to it are empty.

``measure`` is ``test_accuracy`` ([0, 1]) or ``seconds_per_epoch`` (of one of the seeds that were
trained at once) of a teacher that learnt from ``nodes`` training nodes of ``classes`` classes, or
``influence_degree_spearman`` or ``influence_seconds`` (median over ``repeats``) of a training graph
with ``nodes`` nodes, without a teacher. The quarter is the ``top`` or ``bottom`` (``side``) one
``overall`` or ``per-class`` (``grouping``).
"""

BY = ["grouping", *PLACE]


def accuracies(measured: pd.DataFrame) -> pd.DataFrame:
    """Test accuracies on the top and the bottom quarter, where both were measured for a seed."""
    sides = wide(measured, "side", SIDES, BY, "test_accuracy")
    both = sides.dropna().groupby(BY).size().index
    kept = sides[sides.index.droplevel("seed").isin(both)]
    return in_rank(kept, ["grouping", *PLACE, "seed"])


def epochs(measured: pd.DataFrame) -> pd.Series:
    """Median seconds per epoch of each GNN in each place."""
    timed = measured[measured["measure"] == "seconds_per_epoch"]
    return timed.groupby(BY)["value"].median()


def graphs(measured: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation with degree, and seconds, by dataset."""
    names = ["influence_degree_spearman", "influence_seconds"]
    rows = measured[measured["teacher"] == ""].drop_duplicates(["dataset", "measure"], keep="last")
    pivoted = rows.pivot(index="dataset", columns="measure", values="value")
    return in_rank(pivoted.reindex(columns=names), ["dataset"]).set_axis(["rank", "seconds"], axis=1)


def table(measured: pd.DataFrame) -> Table:
    """A row for each GNN, graph and grouping of which both quarters were measured."""
    accuracy, tested = accuracies(measured), measured[measured["measure"] == "test_accuracy"]
    by = accuracy.groupby(BY, sort=False)
    cells = by.agg(percent)
    cells["difference"] = gaps(accuracy["top"], accuracy["bottom"], BY).apply(points, axis=1)
    classes = tested.groupby([*BY, "side"])["classes"].min().unstack("side").loc[cells.index]
    cells["classes"] = [f"{row.top:.0f}, {row.bottom:.0f}" for row in classes.itertuples()]
    of_graph = graphs(measured).reindex(cells.index.get_level_values("dataset"))
    cells["rank"] = of_graph["rank"].map("{:+.2f}".format).to_numpy()
    pace = epochs(measured).reindex(cells.index)
    cells["time"] = [f"{value:.1f}" for value in of_graph["seconds"].to_numpy() / pace]
    return study_table(
        "test accuracy in % of the GNN, mean ± population std over seeds; difference in points, *"
        " p < 0.05; classes that have a node left in the top and in the bottom quarter; rank"
        " correlation (Spearman) of influence with degree; time for computing influence, in the"
        " GNN's epochs",
        cells.droplevel("setting").rename_axis(["quarter", "dataset", "GNN"]),
    )


def sentence(measured: pd.DataFrame) -> str:
    """In how many places the top quarter beat the bottom one, beside the article's claim."""
    accuracy = accuracies(measured)
    gap = gaps(accuracy["top"], accuracy["bottom"], BY)
    overall, per_class = (gap[gap.index.get_level_values(0) == grouping] for grouping in GROUPINGS)
    if overall.empty or per_class.empty:
        return "Not measured yet: GNNs on the top and the bottom quarter."
    return (
        "By mean test accuracy the top quarter of the training nodes by influence beats the bottom"
        f" one for {won(overall)} pairs of teacher and dataset, and for {won(per_class)} with"
        " quarters per class. That it does for every dataset and teacher, as the InfGraND article"
        f" claims, {verdict(overall)}."
    )


def of_graphs(measured: pd.DataFrame) -> str:
    """Influence's rank correlation with degree and its cost on each graph, in a sentence."""
    both = accuracies(measured).groupby(BY).size().index
    slowest = epochs(measured).reindex(both).groupby("dataset").max()
    parts = []
    for dataset, rank, seconds in graphs(measured).itertuples():
        pace = slowest.get(dataset)
        cost = "" if pace is None else f", {seconds / pace:.1f} epochs of the slowest GNN"
        parts.append(f"{dataset} {rank:+.2f} ({seconds:.3f} s{cost})")
    return (
        "Its rank correlation with degree, and the time for computing it on the CPU:"
        f" {', '.join(parts)}."
    )
