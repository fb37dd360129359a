"""Check a graph for the properties that the rest of the program assumes, and repair edges."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import scipy.sparse as sp

from gkd_runner.common.arrays import sorted_unique
from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import UNKNOWN_LABEL, GraphData, Split, in_pieces, largest_value

logger = logging.getLogger("gkd_runner")

_REPAIR = "set dataset.repair=true to repair it on loading"
FEATURE_SCALE = (1e-15, 1e15)
"""Limits of the largest feature. Adam squares gradients, which are as large as the features are,
and float32 ends at 3.4e38; it adds 1e-8 to their size, below which they count for nothing."""

_SHOWN = 10  # classes that a message lists at most


def check_graph(graph: GraphData, source: str) -> None:
    """Raise one ``DataError`` that lists every problem of ``graph``.

    Logs a warning if some classes have no training node. ``source`` opens the messages.
    """
    problems = [*_shapes(graph)]
    if not problems:
        problems = [*_values(graph), *_edges(graph.adjacency), *_names(graph)]
        for number, split in enumerate(graph.splits):
            where = f"split {number}: " if len(graph.splits) > 1 else ""
            problems += [where + problem for problem in _split(graph, split)]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(f"{source}: not a usable graph:\n{lines}")
    _warn_of_untrained_classes(graph, source)


def check_scale(graph: GraphData) -> None:
    """Raise ``DataError`` where models cannot learn from features of this scale in float32."""
    largest = largest_value(graph.features)
    low, high = FEATURE_SCALE
    if largest > high:
        raise DataError(
            f"{graph.name}: features reach {largest:g}, that of node {_node_with_largest(graph)}"
            f" first; training in float32 overflows above {high:g}. Divide the features or the"
            " column that reaches it, replace marks of missing values, or use"
            " dataset.row_normalize=true, which divides each row by its sum"
        )
    if 0 < largest < low:
        raise DataError(
            f"{graph.name}: the largest feature is {largest:g}; training in float32 vanishes below"
            f" {low:g}. Multiply the features, or use dataset.row_normalize=true, which divides"
            " each row by its sum"
        )


def _node_with_largest(graph: GraphData) -> Any:
    """The id of the first node with the largest feature."""
    features = graph.features
    if isinstance(features, np.ndarray):
        row = int(np.abs(features).max(axis=1).argmax())
    else:
        rows = np.repeat(np.arange(graph.num_nodes), np.diff(features.indptr))
        row = int(rows[np.abs(features.data).argmax()])
    return graph.ids[row]


def without_defects(adjacency: sp.csr_array) -> sp.csr_array:
    """Add missing reverse edges, merge duplicates and drop self-loops."""
    both = (adjacency + adjacency.T).tocoo()
    loops = both.row == both.col
    rows, cols = both.row[~loops], both.col[~loops]
    ones = np.ones(len(rows), dtype=np.float32)
    mended = sp.csr_array((ones, (rows, cols)), shape=adjacency.shape)
    mended.sum_duplicates()
    mended.data[:] = 1.0
    return mended


def _shapes(graph: GraphData) -> list[str]:
    if graph.labels.ndim != 1 or graph.labels.size == 0:
        return [f"labels must be a non-empty vector, got shape {graph.labels.shape}"]
    problems = []
    n = len(graph.labels)
    if graph.adjacency.shape != (n, n):
        problems.append(f"adjacency is {graph.adjacency.shape}, but there are {n} labels")
    if graph.features.ndim != 2 or graph.features.shape[0] != n:
        problems.append(f"features are {graph.features.shape}, but there are {n} labels")
    elif graph.features.shape[1] == 0:
        problems.append("features have no column")
    return problems


def _values(graph: GraphData) -> list[str]:
    problems = []
    stored = graph.features.data if sp.issparse(graph.features) else graph.features
    bad = sum(int((~np.isfinite(part)).sum()) for part in in_pieces(np.asarray(stored)))
    if bad:
        problems.append(f"features hold {bad} values that are NaN or infinite")
    lowest = int(graph.labels.min())
    if lowest < UNKNOWN_LABEL:
        problems.append(f"label {lowest} is below -1 (-1 means unknown)")
        return problems
    known = np.unique(graph.labels[graph.labels != UNKNOWN_LABEL])
    if len(known) < 2:
        problems.append(f"labels hold {len(known)} known classes; at least 2 are needed")
    elif len(known) <= known.max():
        absent = sorted(set(range(int(known.max()) + 1)) - set(known.tolist()))
        problems.append(
            f"{len(absent)} classes below the largest label {known.max()} have no node"
            f" ({_named(absent)}); number the classes from 0 on"
        )
    return problems


def _named(classes: list[int]) -> str:
    return ", ".join(map(str, classes[:_SHOWN])) + (", ..." if len(classes) > _SHOWN else "")


def _warn_of_untrained_classes(graph: GraphData, source: str) -> None:
    for number, split in enumerate(graph.splits):
        trained = set(graph.labels[split.train].tolist())
        untrained = sorted(set(range(graph.num_classes)) - trained)
        if untrained:
            logger.warning(
                "%s: no node of the train split%s belongs to class %s; models cannot learn a class"
                " without examples",
                source,
                f" {number}" if len(graph.splits) > 1 else "",
                _named(untrained),
            )


def _edges(adjacency: sp.csr_array) -> list[str]:
    problems = []
    merged = adjacency.copy()
    merged.sum_duplicates()
    duplicates = adjacency.nnz - merged.nnz
    if duplicates:
        problems.append(f"{duplicates} duplicate edges; {_REPAIR}")
    loops = int(np.count_nonzero(merged.diagonal()))
    if loops:
        problems.append(f"{loops} self-loops (models add those that they need); {_REPAIR}")
    if merged.nnz == loops:
        problems.append("no edge joins two different nodes; there is no graph to learn from")
    merged.data[:] = 1.0
    one_way = int(abs(merged - merged.T).sum()) // 2
    if one_way:
        problems.append(f"{one_way} edges lack their reverse (directed graph?); {_REPAIR}")
    return problems


def _names(graph: GraphData) -> list[str]:
    problems = []
    if len(graph.ids) != graph.num_nodes:
        problems.append(f"{len(graph.ids)} node ids, but there are {graph.num_nodes} labels")
    elif repeated := graph.num_nodes - len(sorted_unique(graph.ids)):
        problems.append(f"{repeated} node ids are not unique")
    if graph.class_names and len(graph.class_names) < graph.num_classes:
        problems.append(f"{len(graph.class_names)} class names for {graph.num_classes} classes")
    if graph.feature_names and len(graph.feature_names) != graph.num_features:
        problems.append(
            f"{len(graph.feature_names)} feature names for {graph.num_features} features"
        )
    return problems


def _split(graph: GraphData, split: Split) -> list[str]:
    problems = []
    parts = {"train": split.train, "val": split.val, "test": split.test}
    for name, ids in parts.items():
        outside = ids[(ids < 0) | (ids >= graph.num_nodes)]
        if len(outside):
            problems.append(
                f"{name} split names node {outside[0]}; nodes are 0 to {graph.num_nodes - 1}"
            )
        elif len(ids) == 0:
            problems.append(f"{name} split is empty")
        elif (unlabelled := int((graph.labels[ids] == UNKNOWN_LABEL).sum())) > 0:
            problems.append(f"{name} split holds {unlabelled} nodes without a label")
    ids = np.concatenate(list(parts.values()))
    repeated = len(ids) - len(sorted_unique(ids))
    if repeated:
        problems.append(f"{repeated} nodes stand in a split twice or in two splits")
    return problems
