"""Measures of each node that need the graph and its labels, but no training."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import OmegaConf

from gkd_runner.common.lazy import torch
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.presets import register_resolvers
from gkd_runner.data.graph import UNKNOWN_LABEL, FloatArray, GraphData, IntArray
from gkd_runner.data.task import Task
from gkd_runner.graph.influence import node_influence
from gkd_runner.methods.infgrand import InfgrandConfig
from gkd_runner.options.schema import Config

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
    """Share of edges with equal labels, of those with labels at both ends; NaN without any."""
    _, same = _labelled_edges(graph)
    return float(same.mean()) if len(same) else float("nan")


def _labelled_edges(graph: GraphData) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """The first node of each edge with labels at both ends, and whether the labels are equal.

    Each direction of an edge counts.
    """
    nodes = np.repeat(np.arange(graph.num_nodes), degrees(graph))
    own, other = graph.labels[nodes], graph.labels[graph.adjacency.indices]
    known = (own != UNKNOWN_LABEL) & (other != UNKNOWN_LABEL)
    return nodes[known], (own == other)[known]


def influence_options(config: Config) -> InfgrandConfig:
    """The method's own options; of other methods, those of ``method=infgrand`` in their place."""
    if isinstance(config.method, InfgrandConfig):
        return config.method
    register_resolvers()
    root: Any = OmegaConf.create(asdict(config))
    root.method = OmegaConf.load(conf_dir() / "method" / "infgrand.yaml")
    return InfgrandConfig(**OmegaConf.to_container(root.method, resolve=True))  # type: ignore[arg-type]


def task_influence(
    task: Task, options: InfgrandConfig, device: torch.device | None = None
) -> tuple[IntArray, FloatArray]:
    """Node ids and their influence, as the infgrand method computes it on ``device``.

    By default these are the observed nodes, with their influence on the observed graph. With
    ``influence_graph=published`` they are all nodes, with their influence on the whole graph,
    summed over the first ``len(task.observed)`` nodes.
    """
    loops, exact = options.self_loops, options.smallest_cosine == "exact"
    if options.influence_graph == "published":
        columns = len(task.observed)
        found = node_influence(task.graph, loops, columns, device, exact=exact)
        return np.arange(task.graph.num_nodes), found.scores
    return task.observed, node_influence(
        task.training_graph, loops, None, device, exact=exact
    ).scores
