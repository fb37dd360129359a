"""From tables with text ids to an answering student in three commands."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting.folders import called
from support import Done, dense

from gkd_runner.cli import export, predict
from gkd_runner.cli.import_ import main as import_main
from gkd_runner.data.graph import GraphData
from gkd_runner.data.synthetic import synthetic
from gkd_runner.exporting import serve_cost
from gkd_runner.graph.features import Features
from gkd_runner.methods import build_method
from gkd_runner.models.inputs import row_inputs
from gkd_runner.predict.exported import load_student
from gkd_runner.runs.reload import _student, reload_student

pytestmark = pytest.mark.slow

NODES, FEATURES = 5200, 12
NEW = "late"
SIZES = (
    "preset=none", "training.max_epochs=4", "seeds=0", "tracker=none", "teacher.hidden_dim=16",
)  # fmt: skip


def with_names() -> GraphData:
    """A graph whose last node comes after training; features have few digits, as in CSV files."""
    graph = synthetic(NODES, classes=3, features=FEATURES, mean_degree=6, seed=4)
    x = np.round(dense(graph.features), 3).astype(np.float32)
    ids = np.array([f"user-{node}" for node in range(NODES - 1)] + [NEW])
    return replace(graph, features=x, node_ids=ids, class_names=("cat", "dog", "owl"))


def write(graph: GraphData, folder: Path) -> tuple[list[str], list[str]]:
    """Write tables of all nodes but the last; returns its features and its neighbours."""
    ids, names = graph.ids, np.array(graph.class_names)
    header = ["id", *(f"f{number}" for number in range(FEATURES))]
    rows = [[str(node), *map(str, x.tolist())] for node, x in zip(ids, graph.features, strict=True)]
    ends = np.argwhere(dense(graph.adjacency) > 0)
    known = ends[(ends < NODES - 1).all(1)]
    with (folder / "edges.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["source", "target"], *ids[known].tolist()])
    with (folder / "nodes.csv").open("w", newline="") as stream:
        labelled = [[*row, name] for row, name in zip(rows, names[graph.labels], strict=True)]
        csv.writer(stream).writerows([[*header, "label"], *labelled[:-1]])
    with (folder / "new.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([header, rows[-1]])
    near = ids[graph.adjacency[[NODES - 1]].indices].tolist()
    with (folder / "pairs.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([[NEW, other] for other in near])
    return rows[-1][1:], near


@pytest.mark.parametrize("method", ["glnn", "infgrand"])
def test_a_node_that_was_added_afterwards_is_answered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gkd_train: Callable[..., Done],
    method: str,
) -> None:
    graph = with_names()
    _, near = write(graph, tmp_path)
    assert near
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serve_cost, "SECONDS", 0.01)

    given = ("edges.csv", "--nodes", "nodes.csv", "--out", "mine.npz")
    done = called(monkeypatch, import_main, "gkd-import", *given)
    assert done.returncode == 0, done.stderr
    own = ("dataset=custom", "dataset.path=mine.npz", f"method={method}", *SIZES)
    done = gkd_train(tmp_path, *own)
    assert done.returncode == 0, done.stderr
    (run,) = {path.parent for path in tmp_path.glob("outputs/runs/**/result.json")}
    done = called(monkeypatch, export.main, "gkd-export", run, "--out", "student")
    assert done.returncode == 0, done.stderr

    request = ("--features", "new.csv", "--neighbours", "pairs.csv")
    done = called(monkeypatch, predict.main, "gkd-predict", "student", *request)
    (answer,) = csv.DictReader(done.stdout.splitlines())
    assert answer["id"] == NEW
    found = [float(answer[f"p_{name}"]) for name in graph.class_names]
    np.testing.assert_allclose(found, recomputed(run, graph), atol=1e-5)
    assert re.fullmatch("cat|dog|owl", answer["class"])
    assert load_student("student").predict_known(["user-5"]).ids.tolist() == ["user-5"]


def recomputed(run: Path, graph: GraphData) -> np.ndarray:
    """The probabilities of the last node of the whole graph, by torch, in the run's classes."""
    reloaded = reload_student(run)
    whole = replace(graph, class_names=())
    inputs: Features = build_method(reloaded.config.method).features(whole)
    model = _student(reloaded.config, reloaded.task, reloaded.state)
    with torch.no_grad():
        logits = model(row_inputs([Features(inputs.dense())], torch.device("cpu")))[0]
    order = [reloaded.task.graph.classes.index(name) for name in graph.class_names]
    return torch.softmax(logits, 1).numpy()[-1][order]
