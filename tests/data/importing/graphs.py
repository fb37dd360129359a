"""One small graph with text ids and classes, as other libraries would hold it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import torch

from gkd_runner.common.dgl_library import import_dgl
from gkd_runner.data.graph import GraphData
from gkd_runner.data.synthetic import synthetic

NODES = 60
CLASSES = np.array(["astronomy", "biology", "chemistry"])
IDS = np.array([f"paper-{number}" for number in range(NODES)])


@cache
def truth() -> GraphData:
    """What every source has to become; its features are sparse, and some nodes are isolated."""
    return synthetic(NODES, classes=3, features=30, words_per_node=5, mean_degree=3, seed=2)


def edges_once() -> np.ndarray[Any, Any]:
    """Each undirected edge once ``[m, 2]``."""
    row, column = truth().adjacency.nonzero()
    return np.stack([row, column], axis=1)[row < column]


def edge_frame() -> pd.DataFrame:
    return pd.DataFrame(IDS[edges_once()], columns=["source", "target"])


def node_frame() -> pd.DataFrame:
    """Ids, class names and a column per feature."""
    names = pd.DataFrame({"id": IDS, "label": CLASSES[truth().labels]})
    features = pd.DataFrame(truth().features.toarray()).rename(columns=lambda c: f"word {c}")
    return pd.concat([names, features], axis=1)


def networkx_graph() -> nx.Graph:
    graph = nx.Graph()
    features = truth().features.toarray()
    for node, name in enumerate(IDS):
        graph.add_node(name, label=CLASSES[truth().labels[node]], x=features[node].tolist())
    graph.add_edges_from(IDS[edges_once()])
    return graph


def arrays() -> dict[str, Any]:
    return {
        "edge_index": np.stack(truth().adjacency.nonzero()),
        "x": truth().features.toarray(),
        "y": truth().labels,
    }


def pyg_like() -> SimpleNamespace:
    """The attributes of ``torch_geometric.data.Data``."""
    return SimpleNamespace(**{name: torch.from_numpy(array) for name, array in arrays().items()})


def dgl_graph() -> Any:
    tensors = vars(pyg_like())
    graph = import_dgl().graph(tuple(tensors["edge_index"].long()), num_nodes=NODES)
    graph.ndata["feat"], graph.ndata["label"] = tensors["x"], tensors["y"]
    return graph


def write_csv(folder: Path) -> tuple[Path, Path]:
    edge_frame().to_csv(folder / "edges.csv", index=False)
    node_frame().to_csv(folder / "nodes.csv", index=False)
    return folder / "edges.csv", folder / "nodes.csv"


def masks(splits: int = 10) -> np.ndarray[Any, Any]:
    """Random masks ``[3, splits, n]`` of training, validation and test."""
    part = np.random.default_rng(1).integers(3, size=(splits, NODES))
    return np.stack([part == number for number in range(3)])


def parts_of(graph: Any) -> list[list[list[int]]]:
    """Ids of training, validation and test, per split."""
    return [[ids.tolist() for ids in (s.train, s.val, s.test)] for s in graph.splits]
