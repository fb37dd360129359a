"""Small graphs, configurations and tasks that several tests build."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from gkd_runner.common.checksums import listing, sealed
from gkd_runner.config.build import compose
from gkd_runner.data.graph import GraphData
from gkd_runner.data.protocols import make_task
from gkd_runner.data.synthetic import synthetic
from gkd_runner.data.task import Task
from gkd_runner.graph.batch import GraphBatch, batch_graphs
from gkd_runner.options.schema import Config
from gkd_runner.runs.train import train
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from gkd_runner.training.student import train_students
from gkd_runner.training.teacher import train_teachers

CPU = torch.device("cpu")

SIZES = (
    "preset=none",
    "tracker=none",
    "protocol.train_per_class=10",
    "protocol.val_size=60",
    "protocol.test_size=100",
    "teacher.hidden_dim=16",
    "training.max_epochs=25",
    "training.patience=5",
)
SMALL = ("dataset=synthetic", *SIZES)
"""``SIZES`` fit any graph of some hundred nodes, for sweeps that name their own."""


LIVELY = {
    "hgmd-weight": ("method.alpha=1.0",),
    "hgmd-mixup": ("method.alpha=1.0",),
    "krd": ("method.first_draw=2",),
}
"""Options with which a method shows all that it does within a few epochs."""


@cache
def config(*overrides: str) -> Config:
    """A configuration that a graph of 300 nodes can serve; shared, so never change it."""
    return compose([*SMALL, *overrides])


@cache
def small_graph() -> GraphData:
    """300 nodes in 4 classes; features are sparse enough to stay sparse on the way."""
    return synthetic(300, classes=4, features=80, words_per_node=10, feature_signal=0.3, seed=1)


def small_tasks(
    settings: Config, seeds: Sequence[int], graph: GraphData | None = None
) -> list[Task]:
    """One task per seed on the same graph."""
    return [make_task(graph or small_graph(), settings, seed) for seed in seeds]


def random_graph(nodes: int, features: Any, seed: int = 0, classes: int = 3) -> GraphData:
    """A sparse random graph whose last node is isolated."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((nodes, nodes)) < 4 / nodes, k=1)
    upper[:, -1] = False
    adjacency = sp.csr_array((upper + upper.T).astype(np.float32))
    labels = rng.permutation(np.arange(nodes) % classes).astype(np.int64)
    return GraphData("random", adjacency, features, labels)


def random_features(
    nodes: int, columns: int, *, density: float = 1.0, signed: bool = False, seed: int = 0
) -> sp.csr_array | np.ndarray[Any, Any]:
    """Float32 features: dense at density 1, CSR below; bounded away from 0 where stored."""
    rng = np.random.default_rng([seed, 7])
    values = rng.uniform(0.2, 1.0, (nodes, columns)).astype(np.float32)
    if signed:
        values *= rng.choice(np.float32([-1, 1]), values.shape)
    if density == 1.0:
        return values
    return sp.csr_array(values * (rng.random(values.shape) < density))


def dense(matrix: Any) -> np.ndarray[Any, Any]:
    """A float64 array of a sparse or dense matrix."""
    return np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, dtype=np.float64)


def as_dense_features(graph: GraphData) -> GraphData:
    """The same graph with its features stored densely."""
    return replace(graph, features=dense(graph.features).astype(np.float32))


def looped_batch(graphs: Sequence[GraphData]) -> GraphBatch:
    """The graphs side by side on the CPU."""
    return batch_graphs([graph.adjacency for graph in graphs], CPU)


def edges_with_loops(graph: GraphData) -> list[tuple[int, int]]:
    """All edges (receiver, sender) and one self-loop per node, by receiver and then sender."""
    looped = dense(graph.adjacency) + np.eye(graph.num_nodes)
    return [(int(i), int(j)) for i, j in np.argwhere(looped > 0)]


def dense_symmetric(adjacency: Any, self_loops: float) -> np.ndarray[Any, Any]:
    """``D^-1/2 (A + s I) D^-1/2`` as an array."""
    looped = dense(adjacency) + self_loops * np.eye(adjacency.shape[0])
    root = np.sqrt(looped.sum(1))
    return looped / root[:, None] / root[None, :]


def dense_influence(
    features: Any, operator: np.ndarray[Any, Any], columns: int | None = None
) -> np.ndarray[Any, Any]:
    """Influence as it is defined, with every matrix written out."""
    x = dense(features)
    y = operator @ operator @ x

    def unit(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)

    cosines = unit(x) @ unit(y).T
    scaled = (cosines - cosines.min()) / (cosines.max() - cosines.min())
    sums = np.abs(scaled[:, :columns]).sum(axis=1)
    return sums / sums.max()


def small_run(folder: Path, *overrides: str) -> Path:
    """The folder of a finished run on 300 nodes, seeds 3 and 4."""
    size = ("dataset.nodes=300", "dataset.features=64", "training.max_epochs=12")
    return train(config(*size, "seeds=[3,4]", f"output_dir={folder}", *overrides)).path


def seal_again(run: Path, change: Callable[[dict[str, Any]], object] = lambda result: None) -> None:
    """Change the result of a run, and give it checksums that fit it and the files that are there.

    So a test can reach what stands behind the checksums.
    """
    result = json.loads((run / "result.json").read_text())
    change(result)
    names = [path.name for path in run.iterdir() if path.name != "result.json"]
    written = sealed({**result, "files": listing(run, names)})
    (run / "result.json").write_text(json.dumps(written))


class Done(NamedTuple):
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def called(
    monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], name: str, *arguments: object
) -> Done:
    """Run a command in this process."""
    out, err, code = io.StringIO(), io.StringIO(), None
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    if isinstance(code, str):
        err.write(code)
    return Done(int(bool(code)), out.getvalue(), err.getvalue())


def silent(*_: object) -> None:
    """Report to nobody."""


def teachers(settings: Config, tasks: Sequence[Task]) -> list[Trained]:
    """Teachers of all tasks, trained together."""
    return train_teachers(tasks, settings.teacher, settings.training, CPU, silent)


def students(settings: Config, tasks: Sequence[Task], taught: Sequence[Trained]) -> list[Trained]:
    """Students of all tasks, trained together on uncalibrated soft labels."""
    return train_students(
        tasks,
        [SoftLabels(teacher, "", cached=False, temperature=1.0) for teacher in taught],
        settings,
        CPU,
        silent,
    )


def no_answer(replica: int, graph: GraphData) -> torch.Tensor:
    """For a classroom whose teachers are not asked."""
    raise AssertionError("nobody asks the teacher here")
