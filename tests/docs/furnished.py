"""A folder in which the commands of a page find the files that they name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.npz import save_npz
from gkd_runner.data.synthetic import synthetic
from tests.docs.markdown import ROOT

DOWNLOADED = (
    "citeseer", "pubmed", "amazon-computers", "amazon-photo", "coauthor-cs", "coauthor-physics",
    "ogbn-arxiv",
)  # fmt: skip
"""Graphs of the pages that do not ship with the package; small ones stand in for them."""

HETEROPHILY = ("wisconsin", "cornell", "tolokers", "minesweeper")
"""Files of the heterophily suite, in its layout, with two splits."""

CORA_FEATURES = 1433

RUNS = (
    ("gkd-train",),
    ("gkd-train", "-m", "dataset=cora,citeseer", "method=mlp,glnn,infgrand", "preset=common"),
)
"""What has run before the first command of a page."""


def furnish(folder: Path, run: Callable[[list[str]], object]) -> None:
    """Fill ``folder``; ``run`` runs a command in it (the current folder)."""
    (folder / "data").mkdir(parents=True)
    for name in DOWNLOADED:
        save_npz(_with_split(_graph(1800, name)), folder / "data" / f"{name}.npz")
    save_npz(_with_split(_graph(400, "my")), folder / "my.npz")
    for name in HETEROPHILY:
        classes = 2 if name in ("minesweeper", "tolokers") else 4
        _write_suite(_graph(300, name, classes), folder / f"{name}.npz")
    _write_tables(_graph(400, "my"), folder)
    _write_requests(folder)
    shutil.copytree(ROOT / "outputs" / "reference", folder / "outputs" / "reference")
    for words in RUNS:
        run(list(words))


def _graph(nodes: int, name: str, classes: int = 4) -> GraphData:
    made = synthetic(nodes, classes=classes, features=60, words_per_node=10, seed=1)
    return GraphData(name, made.adjacency, made.features, made.labels)


def _with_split(graph: GraphData) -> GraphData:
    order = np.random.default_rng(0).permutation(graph.num_nodes)
    train, val, test = np.split(order, [80, 200])
    split = Split(np.sort(train), np.sort(val), np.sort(test))
    return GraphData(graph.name, graph.adjacency, graph.features, graph.labels, (split,))


def _write_suite(graph: GraphData, path: Path) -> None:
    part = np.random.default_rng(0).integers(0, 3, (2, graph.num_nodes))
    upper = graph.adjacency.tocoo()
    edges = np.stack([upper.row, upper.col], axis=1)[upper.row < upper.col]
    np.savez(
        path,
        node_features=graph.features.toarray(),
        node_labels=graph.labels,
        edges=edges,
        train_masks=part == 0,
        val_masks=part == 1,
        test_masks=part == 2,
    )


def _write_requests(folder: Path) -> None:
    """Known nodes of Cora, two new ones, and the edges of these."""
    (folder / "ids.csv").write_text("12\n7\n")
    (folder / "pairs.csv").write_text("later,12\nlater,7\nlast,later\n")
    words = np.random.default_rng(0).integers(0, 2, (2, CORA_FEATURES))
    new = pd.DataFrame(words).add_prefix("word")
    new.insert(0, "id", ["later", "last"])
    new.to_csv(folder / "new.csv", index=False)


def _write_tables(graph: GraphData, folder: Path) -> None:
    """``edges.csv`` and ``nodes.csv`` with names as ids and classes, as for ``gkd-import``."""
    ids = np.array([f"node{i}" for i in range(graph.num_nodes)])
    one_way = graph.adjacency.tocoo()
    kept = one_way.row < one_way.col
    ends = {"source": ids[one_way.row[kept]], "target": ids[one_way.col[kept]]}
    pd.DataFrame(ends).to_csv(folder / "edges.csv", index=False)
    features = pd.DataFrame(graph.features.toarray()).add_prefix("f")
    names = np.array(["red", "green", "blue", "black"])[graph.labels]
    features.insert(0, "label", names)
    features.insert(0, "id", ids)
    features.to_csv(folder / "nodes.csv", index=False)
