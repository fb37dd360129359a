"""The terminal's summary of the nodes."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from scipy.stats import spearmanr

from gkd_runner.common.console import plain_table
from gkd_runner.data.graph import GraphData
from gkd_runner.nodes.inspected import Inspected
from gkd_runner.nodes.measures import edge_homophily, influence_options
from gkd_runner.nodes.quarters import accuracy_by_hardness
from gkd_runner.nodes.table import Column, NodeTable
from gkd_runner.options.schema import InfgrandConfig

SPLIT = ("train", "val", "test", "none")


def summary(found: Inspected) -> Group:
    """The graph in numbers, the parts of the split, and, with a run, accuracy by hardness."""
    table, options = found.table, influence_options(found.config)
    of_run: list[RenderableType] = []
    if found.of_run:
        told = "accuracy in % on test nodes, by the hardness of their soft labels"
        of_run = [_hardness_table(table), Text(told)]
    return Group(
        Text(found.title),
        _facts(table, found.task.graph),
        _split_table(table),
        Text(_influence_text(options)),
        *of_run,
    )


def _facts(table: NodeTable, graph: GraphData) -> Table:
    degree = table["degree"].data
    known = table["label"].compressed()
    sizes = np.bincount(known, minlength=graph.num_classes)
    unlabelled = f"; {graph.num_nodes - len(known)} nodes without a label"
    low, *quartiles, high = np.percentile(degree, [0, 25, 50, 75, 100])
    facts = {
        "nodes": str(graph.num_nodes),
        "edges": str(graph.num_edges // 2),
        "classes": f"{graph.num_classes}, with {', '.join(map(str, sizes))} nodes"
        + (unlabelled if len(known) < graph.num_nodes else ""),
        "edge homophily": _fixed(edge_homophily(graph)),
        "isolated nodes": str(int((degree == 0).sum())),
        "degree": f"{low:g} to {high:g}, quartiles {', '.join(f'{q:g}' for q in quartiles)}",
        "influence": f"Spearman correlation with degree {_fixed(rank_correlation(table), '+.3f')}",
    }
    grid = Table.grid(padding=(0, 2))
    for name, text in facts.items():
        grid.add_row(name, text)
    return grid


def rank_correlation(table: NodeTable) -> float:
    """Spearman's, of influence and degree; NaN where one of them is the same for all nodes."""
    degree, influence = table.together("degree", "influence")
    if np.ptp(degree) == 0 or np.ptp(influence) == 0:
        return float("nan")
    return float(spearmanr(degree, influence).statistic)


def _influence_text(options: InfgrandConfig) -> str:
    graph = "observed graph" if options.influence_graph == "observed" else "whole graph (published)"
    return f"influence with A + {options.self_loops:g}I on the {graph}"


def _split_table(table: NodeTable) -> Table:
    found = plain_table()
    for heading in ("split", "nodes", "mean influence", "mean local homophily"):
        found.add_column(heading, justify="left" if heading == "split" else "right")
    for part in SPLIT:
        rows = table["split"] == part
        if rows.any():
            means = [_mean(table[name][rows]) for name in ("influence", "local_homophily")]
            found.add_row(part, str(int(rows.sum())), *means)
    return found


def _hardness_table(table: NodeTable) -> Table:
    found = plain_table()
    for heading in ("knowledge hardness", "nodes", "up to", "teacher", "student"):
        found.add_column(heading, justify="left" if " " in heading else "right")
    for quarter in accuracy_by_hardness(table):
        accuracies = (f"{100 * value:.2f}" for value in (quarter.teacher, quarter.student))
        found.add_row(quarter.name, str(quarter.nodes), _fixed(quarter.top), *accuracies)
    return found


def _mean(column: Column) -> str:
    return _fixed(float(column.mean())) if column.count() else ""


def _fixed(value: float, form: str = ".3f") -> str:
    return "undefined" if np.isnan(value) else format(value, form)
