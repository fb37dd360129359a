"""Measures of each node that need the graph and its labels alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import OmegaConf

from gkd_runner.common.paths import conf_dir
from gkd_runner.config.presets import register_resolvers
from gkd_runner.data.graph import UNKNOWN_LABEL, FloatArray, GraphData, IntArray
from gkd_runner.data.task import Task
from gkd_runner.graph.influence import influence
from gkd_runner.graph.operators import symmetric
from gkd_runner.options.schema import Config, InfgrandConfig

DoubleArray = npt.NDArray[np.float64]


def degrees(graph: GraphData) -> IntArray:
    """Number of neighbours of each node, ``[n]``."""
    return np.asarray(np.diff(graph.adjacency.indptr), dtype=np.int64)


def local_homophily(graph: GraphData) -> DoubleArray:
    """Share of each node's neighbours with its label, ``[n]``.

    Neighbours without a label do not count; NaN where none is left or the node has no label.
    """
    nodes, same = _labelled_edges(graph)
    total, hits = (
        np.bincount(ends, minlength=graph.num_nodes).astype(np.float64)
        for ends in (nodes, nodes[same])
    )
    shares = np.full(graph.num_nodes, np.nan)
    np.divide(hits, total, out=shares, where=total > 0)
    return shares


def edge_homophily(graph: GraphData) -> float:
    """Share of edges with one label at both ends, of those with labels at both; NaN of none."""
    _, same = _labelled_edges(graph)
    return float(same.mean()) if len(same) else float("nan")


def _labelled_edges(graph: GraphData) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """For each directed edge with labels at both ends: its first node, and if they are equal."""
    nodes = np.repeat(np.arange(graph.num_nodes), degrees(graph))
    own, other = graph.labels[nodes], graph.labels[graph.adjacency.indices]
    known = (own != UNKNOWN_LABEL) & (other != UNKNOWN_LABEL)
    return nodes[known], (own == other)[known]


def influence_options(config: Config) -> InfgrandConfig:
    """The method's own options, or what ``method=infgrand`` would get beside the other choices."""
    if isinstance(config.method, InfgrandConfig):
        return config.method
    register_resolvers()
    root: Any = OmegaConf.create(asdict(config))
    root.method = OmegaConf.load(conf_dir() / "method" / "infgrand.yaml")
    return InfgrandConfig(**OmegaConf.to_container(root.method, resolve=True))  # type: ignore[arg-type]


def node_influence(task: Task, options: InfgrandConfig) -> tuple[IntArray, FloatArray]:
    """Node ids and their influence, as the infgrand method computes it.

    On the observed graph, of the observed nodes; the published variant on the whole graph, of all
    nodes, summed over its first columns, as many as nodes are observed.
    """
    published = options.influence_graph == "published"
    graph = task.graph if published else task.training_graph
    columns = len(task.observed) if published else None
    nodes = np.arange(graph.num_nodes) if published else task.observed
    operator = symmetric(graph.adjacency, options.self_loops)
    return nodes, influence(graph.features, operator, columns)
