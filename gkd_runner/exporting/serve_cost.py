"""How long the teacher and its exported student take to answer on this machine."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from gkd_runner.common.errors import RunError
from gkd_runner.data.graph import IntArray
from gkd_runner.exporting.from_run import RunStudent
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.inputs import make_inputs
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import build_student
from gkd_runner.options.schema import TeacherConfig
from gkd_runner.predict import folder as files
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.predict.student import BATCH
from gkd_runner.runs.reload import ReloadedStudent, soft_labels_of
from gkd_runner.serving.latency import CPU, student_server, teacher_server
from gkd_runner.serving.timing import measure

SIZES = (1, 64, 1024)
"""Nodes per request; sizes that are not smaller than the graph are left out."""

LARGEST = 200_000
"""Nodes up to which all are asked for at once; a GNN's pass over more may not fit into memory."""

SECONDS = 0.3
"""Time for which each model answers at each size, after a warm-up."""

EXPORTED = "student (gkd-predict)"
"""The name of the exported student with all that it does for an answer."""

Request = Callable[[IntArray], object]
"""Answers for the nodes at these places in the graph."""


@dataclass(frozen=True)
class Model:
    """One way to answer: single requests, and all nodes at once."""

    name: str
    request: Request
    everything: Callable[[], object]


def serve_cost(student: RunStudent, folder: Path) -> dict[str, Any]:
    """Times of the teacher with its neighbourhood, and of the student in several forms.

    The teacher has the run's weights if they are still cached, else fresh ones, which are as fast.
    A precomputed teacher has no time: ``teacher_weights`` is ``None``.
    All nodes at once are a pass over the whole graph, prepared beforehand. Of an ensemble all
    students answer, but in torch one.
    """
    reloaded = student.seeds[0]
    teachers, weights = list[Model](), None
    if isinstance(reloaded.config.teacher, TeacherConfig):
        state = _teacher_state(reloaded)
        weights = "of the run" if state is not None else "fresh"
        teachers = [_teacher(reloaded, state)]
    models = [*teachers, _torch_student(student, reloaded), *_exported(folder)]
    with torch.inference_mode():
        rows = [row for model in models for row in _rows(model, student.task.graph.num_nodes)]
    table = folder / files.TABLE
    return {
        "teacher": reloaded.config.teacher.name,
        "teacher_weights": weights,
        "rows": rows,
        "bytes": {
            "model": (folder / files.MODEL).stat().st_size,
            "table": table.stat().st_size if table.is_file() else 0,
        },
        "machine": {
            "device": "cpu",
            "processor": _processor(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "seconds_per_cell": SECONDS,
    }


def _rows(model: Model, n: int) -> Iterator[dict[str, Any]]:
    """Percentiles in seconds per request, and nodes per second, for each size."""
    rng = np.random.default_rng(0)
    for size in (size for size in SIZES if size < n):

        def draw(count: int = size) -> IntArray:
            return rng.choice(n, count, replace=False)

        yield _row(model.name, str(size), size, measure(model.request, draw, CPU, SECONDS))
    if n <= LARGEST:
        together = measure(lambda _: model.everything(), lambda: None, CPU, SECONDS)
        yield _row(model.name, "all", n, together)


def _row(model: str, size: str, nodes: int, timing: Any) -> dict[str, Any]:
    return {
        "model": model,
        "size": size,
        "nodes": nodes,
        "p50_seconds": timing.median,
        "p99_seconds": timing.p99,
        "nodes_per_second": nodes / timing.median,
        "requests": timing.repeats,
    }


def _teacher_state(reloaded: ReloadedStudent) -> Mapping[str, Tensor] | None:
    """The cached teacher's weights; ``None`` if they are gone."""
    try:
        return soft_labels_of(reloaded).teacher.state
    except RunError:
        return None


def _teacher(reloaded: ReloadedStudent, state: Mapping[str, Tensor] | None) -> Model:
    config, graph = reloaded.config, reloaded.task.graph
    server = teacher_server(config, graph, state)
    init = Initializer(config.seeds[:1], "teacher initialisation")
    whole = build_teacher(config.gnn, graph.num_features, graph.num_classes, init)
    view = cache(lambda: whole.view([graph], CPU))  # prepared once, if it is asked for
    return Model(
        "teacher (torch)",
        lambda nodes: torch.softmax(server(torch.from_numpy(nodes)).logits, 1),
        lambda: torch.softmax(whole(view()), 2),
    )


def _torch_student(student: RunStudent, reloaded: ReloadedStudent) -> Model:
    config, graph = reloaded.config, reloaded.task.graph
    features = student.inputs.whole
    server = student_server(config, graph, reloaded.state, features)
    init = Initializer(config.seeds[:1], "student initialisation")
    whole = build_student(config.student, graph.num_features, graph.num_classes, init)
    inputs = cache(lambda: make_inputs([features], CPU, whole.weights[0].shape[2]))
    return Model(
        "student (torch)",
        lambda nodes: torch.softmax(server(torch.from_numpy(nodes)).logits, 1),
        lambda: torch.softmax(whole(inputs()), 2),
    )


def _exported(folder: Path) -> list[Model]:
    """The model alone on dense features, and the whole way from ids to answers."""
    student = ExportedStudent(folder, torch.get_num_threads())
    ids, nodes = student.graph.ids, np.arange(student.graph.num_nodes)

    def dense(nodes: IntArray) -> object:
        return student.probabilities(student.known_inputs(nodes))

    return [
        Model("student (onnxruntime)", dense, lambda: in_batches(dense, nodes)),
        Model(EXPORTED, lambda nodes: student.predict_known(ids[nodes]), student.predict_all),
    ]


def in_batches(answer: Request, nodes: IntArray) -> None:
    """Answer for all ``nodes``, as many at once as bounded memory allows."""
    for start in range(0, len(nodes), BATCH):
        answer(nodes[start : start + BATCH])


def _processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
