"""How long a trained teacher and its student take to answer for single nodes, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gkd_runner.data.graph import GraphData, IntArray
from gkd_runner.graph.features import Features
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import build_student
from gkd_runner.options.schema import Config
from gkd_runner.serving.matrices import feature_matrix, layers_of
from gkd_runner.serving.servers import Server, serve_student, serve_teacher
from gkd_runner.serving.timing import measure

CPU = torch.device("cpu")

SECONDS = 0.1
"""Time for which each model answers. A teacher of Cora answers some hundred requests in it."""

NODES = 256
"""Known nodes, at most, that requests are drawn from; only their features are propagated."""


@dataclass(frozen=True)
class Latency:
    """Median seconds that an answer for one random node takes, and how they were measured.

    The teacher gathers the node's neighbourhood; the student looks up its features, which were
    propagated beforehand if its method propagates. A precomputed teacher has no time.
    """

    teacher_seconds: float | None
    student_seconds: float
    teacher_requests: int
    student_requests: int
    threads: int
    device: str
    torch: str

    @property
    def speed_up(self) -> float | None:
        """How many times faster the student answers; ``None`` if the teacher's time is unknown."""
        return None if self.teacher_seconds is None else self.teacher_seconds / self.student_seconds


def measure_latency(
    config: Config,
    graph: GraphData,
    teacher: Mapping[str, Tensor],
    student: Mapping[str, Tensor],
    features: Features,
) -> Latency:
    """Time one replica's models with the threads that torch uses now; it takes half a second.

    Args:
        config: the shapes of the models.
        graph: the whole graph, which the teacher reads.
        teacher: the teacher's state (``Trained.state``), without the dimension of replicas; empty
            for one without a model here, which is not timed.
        student: the student's state, likewise.
        features: the student's input on ``graph`` (``Method.features``).
    """
    rng = np.random.default_rng(0)
    nodes = rng.choice(graph.num_nodes, min(NODES, graph.num_nodes), replace=False)
    gnn = teacher_server(config, graph, teacher) if teacher else None
    mlp = student_server(config, graph, student, features.rows(nodes))
    with torch.inference_mode():
        of_teacher = measure(gnn, _drawing(nodes, rng), CPU, SECONDS) if gnn else None
        of_student = measure(mlp, _drawing(np.arange(len(nodes)), rng), CPU, SECONDS)
    return Latency(
        of_teacher.median if of_teacher else None,
        of_student.median,
        of_teacher.repeats if of_teacher else 0,
        of_student.repeats,
        torch.get_num_threads(),
        CPU.type,
        torch.__version__,
    )


def teacher_server(config: Config, graph: GraphData, state: Mapping[str, Tensor] | None) -> Server:
    """A server of the teacher of ``config``; with fresh weights if it has no ``state``."""
    init = Initializer(config.seeds[:1], "teacher initialisation")
    model = build_teacher(config.gnn, graph.num_features, graph.num_classes, init)
    if state is not None:
        model.load_state_dict(_stacked(state))
    raw = feature_matrix(Features(graph.features), CPU)
    return serve_teacher(model, config.gnn.num_layers, graph, raw, CPU)


def student_server(
    config: Config, graph: GraphData, state: Mapping[str, Tensor], features: Features
) -> Server:
    """A server of the student whose nodes are the rows of ``features``."""
    init = Initializer(config.seeds[:1], "student initialisation")
    model = build_student(config.student, graph.num_features, graph.num_classes, init)
    model.load_state_dict(_stacked(state))
    return serve_student(layers_of(model), feature_matrix(features, CPU))


def _stacked(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a model of one replica."""
    return {name: value.unsqueeze(0) for name, value in state.items()}


def _drawing(nodes: IntArray, rng: np.random.Generator) -> Callable[[], Tensor]:
    """Draws one of ``nodes``, as a request."""
    return lambda: torch.from_numpy(rng.choice(nodes, 1))
