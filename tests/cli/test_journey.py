"""From tables with ids and classes as text to an exported student that answers for a new node."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from gkd_runner import load_graph
from gkd_runner.data.graph import GraphData
from gkd_runner.data.synthetic import synthetic
from gkd_runner.methods import build_method
from gkd_runner.runs.reload import reload_student
from tests.tracked import offline_env, python

NODES, COLUMNS = 5_000, 24
CLASSES = ("granite", "basalt", "marble")
NEW = {"id": "stone-new", "neighbours": ["stone-3", "stone-70", "stone-4999"]}

pytestmark = pytest.mark.slow


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """``edges.csv`` and ``nodes.csv`` of a graph of 5,000 nodes; the nodes are listed at random."""
    graph = synthetic(
        nodes=NODES, classes=3, features=COLUMNS, mean_degree=6.0, homophily=0.8, seed=5
    )
    names = np.array([f"stone-{number}" for number in range(NODES)])
    pairs = sp.triu(graph.adjacency).tocoo()
    edges = pd.DataFrame({"source": names[pairs.row], "target": names[pairs.col]})
    edges.to_csv(tmp_path / "edges.csv", index=False)
    features: Any = graph.features
    nodes = pd.DataFrame(features.toarray(), columns=[f"x{i}" for i in range(COLUMNS)])
    nodes.insert(0, "id", names)
    nodes["class"] = np.array(CLASSES)[graph.labels]
    nodes.sample(frac=1, random_state=0).to_csv(tmp_path / "nodes.csv", index=False)
    return tmp_path


def command(name: str, folder: Path, *arguments: str) -> str:
    module = {"import": "import_"}.get(name, name)
    return python("-m", f"gkd_runner.cli.{module}", *arguments, env=offline_env(folder), cwd=folder)


def recomputed(run: Path, graph: GraphData, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The new node's probabilities from the whole new graph, by the code that trains."""
    place = {node: position for position, node in enumerate(graph.ids)}
    ends = np.array([place[node] for node in NEW["neighbours"]])
    start = np.full_like(ends, NODES)
    rows, columns = np.concatenate([start, ends]), np.concatenate([ends, start])
    size = (NODES + 1, NODES + 1)
    added = sp.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=size)
    old = graph.adjacency.tocoo()
    known = sp.csr_array((old.data, (old.row, old.col)), shape=size)
    features: Any = graph.features
    grown = replace(
        graph,
        adjacency=sp.csr_array(known + added),
        features=sp.csr_array(sp.vstack([features, x[None]]), dtype=np.float32),
        labels=np.append(graph.labels, 0),
        node_ids=None,
    )
    student = reload_student(run)
    h = build_method(student.config.method).features(grown).rows(np.array([NODES])).dense()
    h = torch.from_numpy(h)
    layers = len(student.state) // 2
    for number in range(layers):
        h = h @ student.state[f"weights.{number}"] + student.state[f"biases.{number}"]
        h = torch.relu(h) if number < layers - 1 else h
    return torch.softmax(h, 1)[0].numpy()


def test_three_commands_lead_from_tables_to_an_answering_student(tables: Path) -> None:
    command("import", tables, "edges.csv", "--nodes", "nodes.csv", "--out", "stones.npz")
    job = ["protocol=krd", "method=infgrand", "seeds=0", "training.max_epochs=40"]
    command("train", tables, "dataset=stones.npz", "tracker=none", *job)
    (run,) = (tables / "outputs/runs/stones").glob("*/*/*/*")
    command("export", tables, str(run), "--out", "student")

    graph = load_graph(tables / "stones.npz")
    assert sorted(graph.class_names) == sorted(CLASSES)
    command("predict", tables, "student", "--all", "--out", "all.json")
    answers = pd.DataFrame(json.loads((tables / "all.json").read_text()))
    assert list(answers["id"]) == list(graph.ids)
    test = reload_student(run).task.split.test
    right = answers["class"].to_numpy()[test] == np.array(graph.class_names)[graph.labels[test]]
    stored = json.loads((run / "result.json").read_text())["seeds"][0]
    assert right.mean() == stored["student"]["scores"]["test"]

    x = np.zeros(COLUMNS, np.float32)
    x[[2, 5, 11]] = [1.0, 3.0, 2.0]
    columns = ["id", *(f"x{i}" for i in range(COLUMNS))]
    pd.DataFrame([[NEW["id"], *x]], columns=columns).to_csv(tables / "new.csv", index=False)
    pairs = pd.DataFrame({"new": NEW["id"], "old": NEW["neighbours"]})
    pairs.to_csv(tables / "pairs.csv", index=False)
    new = ["--features", "new.csv", "--neighbours", "pairs.csv", "--out", "new.json"]
    command("predict", tables, "student", *new)
    (answer,) = json.loads((tables / "new.json").read_text())
    assert answer["id"] == NEW["id"]
    found = [answer["probabilities"][name] for name in graph.class_names]
    np.testing.assert_allclose(found, recomputed(run, graph, x), atol=1e-5)
