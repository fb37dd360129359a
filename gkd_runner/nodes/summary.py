"""The summary of the nodes for the terminal."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gkd_runner.common.console import plain_table
from gkd_runner.data.graph import GraphData
from gkd_runner.methods.infgrand import InfgrandConfig
from gkd_runner.nodes.inspected import Inspected
from gkd_runner.nodes.measures import edge_homophily, influence_options
from gkd_runner.nodes.quarters import accuracy_by_hardness

SPLIT = ("train", "val", "test", "none")


def summary(inspected: Inspected) -> Group:
    """The graph in numbers, the parts of the split, and, with a run, accuracy by hardness."""
    table, options = inspected.table, influence_options(inspected.config)
    of_run: list[RenderableType] = []
    if inspected.of_run:
        told = "accuracy in % on test nodes, by the hardness of their soft labels"
        of_run = [_hardness_table(table), Text(told)]
    return Group(
        Text(inspected.title),
        _facts(table, inspected.task.graph),
        _split_table(table),
        Text(_influence_text(options)),
        *of_run,
    )


def _facts(table: pd.DataFrame, graph: GraphData) -> Table:
    degree, known = table["degree"], table["label"].dropna()
    sizes = np.bincount(known.astype(int), minlength=graph.num_classes)
    unlabelled = f"; {graph.num_nodes - len(known)} nodes without a label"
    low, *quartiles, high = np.percentile(degree, [0, 25, 50, 75, 100])
    facts = {
        "nodes": str(graph.num_nodes),
        "edges": str(graph.num_edges // 2),
        "classes": f"{graph.num_classes}, with {', '.join(map(str, sizes))} nodes"
        + (unlabelled if len(known) < graph.num_nodes else ""),
        "edge homophily": _fixed(edge_homophily(graph)),
        "isolated nodes": str((degree == 0).sum()),
        "degree": f"{low:g} to {high:g}, quartiles {', '.join(f'{q:g}' for q in quartiles)}",
        "influence": f"Spearman correlation with degree {_fixed(rank_correlation(table), '+.3f')}",
    }
    grid = Table.grid(padding=(0, 2))
    for name, text in facts.items():
        grid.add_row(name, text)
    return grid


def rank_correlation(table: pd.DataFrame) -> float:
    """Spearman's, of influence and degree; NaN where one of them is the same for all nodes."""
    return float(table[["degree", "influence"]].corr(method="spearman").iloc[0, 1])


def _influence_text(options: InfgrandConfig) -> str:
    graph = "observed graph" if options.influence_graph == "observed" else "whole graph (published)"
    estimated = "" if options.smallest_cosine == "exact" else ", estimated"
    return f"influence with A + {options.self_loops:g}I on the {graph}{estimated}"


def _split_table(table: pd.DataFrame) -> Table:
    shown = plain_table()
    for heading in ("split", "nodes", "mean influence", "mean local homophily"):
        shown.add_column(heading, justify="left" if heading == "split" else "right")
    parts = table.groupby("split")[["influence", "local_homophily"]]
    sizes, means = parts.size(), parts.mean()
    for part in (part for part in SPLIT if part in sizes):
        shown.add_row(
            part, str(sizes[part]), *(_fixed(mean, missing="") for mean in means.loc[part])
        )
    return shown


def _hardness_table(table: pd.DataFrame) -> Table:
    shown = plain_table()
    for heading in ("knowledge hardness", "nodes", "up to", "teacher", "student"):
        shown.add_column(heading, justify="left" if " " in heading else "right")
    for quarter in accuracy_by_hardness(table).itertuples():
        accuracies = (f"{100 * value:.2f}" for value in (quarter.teacher, quarter.student))
        shown.add_row(quarter.Index, str(quarter.nodes), _fixed(quarter.up_to), *accuracies)
    return shown


def _fixed(value: float, form: str = ".3f", missing: str = "undefined") -> str:
    return missing if np.isnan(value) else format(value, form)
