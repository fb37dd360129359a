"""Table and sentence of the inference study."""

from __future__ import annotations

import pandas as pd
from rich.table import Table

from gkd_runner.results.compare import TEACHERS, in_order
from gkd_runner.studies.measurements import Form
from gkd_runner.studies.wording import geometric_means, study_table, too_few_graphs

BATCHES = (1, 32, 1024)
"""Nodes per request; sizes beyond a graph's test nodes are left out."""

ALL = "all"
"""All test nodes at once."""

SIZES = (*map(str, BATCHES), ALL)

STUDENTS = ("mlp", "infgrand-mlp", "infgrand-mlp-on-request")

CLAIMED = {"sage": 8.56, "gat": 13.89}
"""How many times faster than these GNNs the student is in the InfGraND article,"""

LEAST = 6
"""and how many times at least against any GNN (6 to 14)."""

FORM = Form(
    columns={
        **dict.fromkeys(("dataset", "protocol", "setting", "teacher", "model"), "string"),
        "layers": "int64",
        "hidden_dim": "int64",
        "size": "string",
        "nodes": "int64",
        "median_seconds_per_node": "float64",
        "low": "float64",
        "high": "float64",
        "peak_bytes": "int64",
        "nodes_read": "float64",
        "repeats": "int64",
        "threads": "int64",
        "device": "string",
        "commit": "string",
        "configuration": "string",
    },
    scope=("dataset", "protocol", "setting", "teacher", "threads", "device"),
    index=("model", "size"),
)
"""One model at one batch size per row.

``size`` is one of ``SIZES`` and ``nodes`` its number of nodes on this graph; ``layers`` and
``hidden_dim`` are the model's. Seconds are medians and quartiles (``low``, ``high``) over
``repeats`` requests, per node; ``peak_bytes`` and ``nodes_read`` are per request.
"""

GNN = "GNN"


def machines(measured: pd.DataFrame) -> pd.Series:
    """The machine that each row was measured on."""
    threads = measured["threads"].map(lambda count: f"{count} thread{'' if count == 1 else 's'}")
    return threads.astype("string") + " of " + measured["device"]


def by_model(measured: pd.DataFrame) -> pd.DataFrame:
    """Seconds, bytes and nodes read of the GNN and its students, a row per task and batch size."""
    model = measured["model"].where(measured["model"] != measured["teacher"], GNN)
    rows = measured.assign(model=model, machine=machines(measured))
    rows["peak_bytes"] = rows["peak_bytes"].clip(lower=1)
    values = ["median_seconds_per_node", "peak_bytes", "nodes_read"]
    task = ["teacher", "size", "dataset", "protocol", "setting", "machine"]
    columns = pd.MultiIndex.from_product([values, [GNN, *STUDENTS]])
    return rows.pivot(index=task, columns="model", values=values).reindex(columns=columns)


def speed_ups(measured: pd.DataFrame) -> pd.DataFrame:
    """How many times faster than the GNN each student is, a row per task and batch size."""
    seconds = by_model(measured)["median_seconds_per_node"]
    return seconds[list(STUDENTS)].rdiv(seconds[GNN], axis=0)


def table(measured: pd.DataFrame) -> Table:
    """Per GNN and batch size: geometric means over graphs."""
    by = ["teacher", "size"]
    means = geometric_means(by_model(measured), by)
    seconds, peak = 1e6 * means["median_seconds_per_node"], means["peak_bytes"] / 1e6
    faster = geometric_means(speed_ups(measured), by)["mlp"]
    columns = {
        "GNN\nµs": seconds[GNN].map("{:.1f}".format),
        "mlp\nµs": seconds["mlp"].map("{:.1f}".format),
        "infgrand\nµs": seconds["infgrand-mlp"].map("{:.1f}".format),
        "on request\nµs": seconds["infgrand-mlp-on-request"].map("{:.1f}".format),
        "mlp is\nfaster": faster.map("{:.1f} x".format),
        "GNN\nreads": means["nodes_read", GNN].map("{:.0f}".format),
        "GNN\nMB": peak[GNN].map("{:.2g}".format),
        "mlp\nMB": peak["mlp"].map("{:.2g}".format),
    }
    gnns = in_order(measured["teacher"], TEACHERS)
    rows = [row for gnn in gnns for size in SIZES if (row := (gnn, size)) in means.index]
    cells = pd.DataFrame(columns).reindex(pd.MultiIndex.from_tuples(rows))
    return study_table(
        "time per node, nodes read and peak memory per request: geometric means over graphs;"
        " infgrand reads features propagated beforehand, or propagates on request",
        cells.rename_axis(["GNN", "batch"]),
        ends=[ALL],
    )


def sentence(measured: pd.DataFrame) -> str:
    """How much faster the students were, beside the article's claim."""
    ratios, parts = speed_ups(measured), list[str]()
    for size, name in (("1", "one node at a time"), (ALL, "all test nodes at once")):
        here = ratios[ratios.index.get_level_values("size") == size]
        means = geometric_means(here, ["teacher"]).dropna(subset="mlp")
        told = ", ".join(
            f"{means['mlp'][gnn]:.1f} times faster than {gnn} ({means['infgrand-mlp'][gnn]:.1f})"
            for gnn in in_order(means.index, TEACHERS)
        )
        if told:
            fewest = int(here["mlp"].dropna().groupby("teacher").size().min())
            parts.append(f"{name} it is {told}, so that the claim {_verdict(means['mlp'], fewest)}")
    if not parts:
        return "Not measured yet: a GNN and its student at the same batch size."
    return (
        "The MLP per node (in brackets InfGraND's, on features propagated beforehand; geometric"
        f" means over graphs): {'; '.join(parts)}. The InfGraND article claims {CLAIMED['sage']}"
        f" against GraphSAGE, {CLAIMED['gat']} against GAT, and {LEAST} to 14 in all."
    )


def _verdict(means: pd.Series, graphs: int) -> str:
    short = [gnn for gnn in in_order(means.index, TEACHERS) if means[gnn] < CLAIMED.get(gnn, LEAST)]
    told = f"does not hold for {', '.join(short)}" if short else "holds"
    return too_few_graphs(graphs) or told
