"""How long a trained teacher and its students take to answer for single nodes, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gkd_runner.data.graph import GraphData
from gkd_runner.graph.features import Features
from gkd_runner.graph.propagation import Propagation
from gkd_runner.methods import build_method
from gkd_runner.methods.base import Method
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import build_student
from gkd_runner.options.schema import Config
from gkd_runner.serving.matrices import feature_matrix, layers_of
from gkd_runner.serving.servers import Server, serve_student, serve_teacher
from gkd_runner.serving.timing import TURNS, Timing, measure_in_turns
from gkd_runner.training.stage import Trained

CPU = torch.device("cpu")

SECONDS = 0.2
"""Time for which each model answers. A teacher of Cora answers some hundred requests in it."""

NODES = 64
"""Nodes, at most, that students are asked for: their features have to be propagated first."""


@dataclass(frozen=True)
class AnswerTime:
    """Median seconds that an answer for one random node takes, and how many were timed."""

    seconds: float
    requests: int


@dataclass(frozen=True)
class StudentTime(AnswerTime):
    """The answer time of the students of one kept variant of the method.

    They have the same size and input, so that the student of the first of ``seeds`` is timed for
    all. ``propagation`` is of their input, ``None`` if they read raw features.
    """

    seeds: tuple[int, ...]
    propagation: Propagation | None


@dataclass(frozen=True)
class Latency:
    """The answer times of one run's models, and how they were measured.

    The teacher gathers the node's neighbourhood. A student looks up its features: if they are
    propagated ones, they were propagated beforehand, and this takes no part of its time. A
    precomputed teacher has no time. The models took ``turns`` turns each.
    """

    teacher: AnswerTime | None
    students: tuple[StudentTime, ...]
    turns: int
    threads: int
    device: str
    torch: str

    @property
    def teacher_seconds(self) -> float | None:
        """The teacher's answer time, if it is known."""
        return self.teacher.seconds if self.teacher else None

    def student_seconds(self, seed: int) -> float:
        """The answer time of the variant that this seed's student was kept of."""
        (found,) = [time.seconds for time in self.students if seed in time.seeds]
        return found


def measure_latency(
    config: Config, graph: GraphData, teacher: Mapping[str, Tensor], students: Sequence[Trained]
) -> Latency:
    """Time one teacher and one student of each kept variant, with torch's number of threads.

    Each takes about ``SECONDS``, in turns with the others.

    Args:
        config: the shapes of the models.
        graph: the whole graph, which the teacher reads.
        teacher: the teacher's state (``Trained.state``), without the dimension of replicas; empty
            for one without a model here, which is not timed.
        students: the students of one run.
    """
    count = min(NODES, graph.num_nodes)
    nodes = np.random.default_rng(0).choice(graph.num_nodes, count, replace=False)
    kept = kept_variants(build_method(config.method), students)
    inputs = [variant.features(graph).rows(nodes) for variant, _ in kept]
    servers = [
        student_server(config, graph, own[0].state, rows)
        for (_, own), rows in zip(kept, inputs, strict=True)
    ]
    calls = [(server, _drawing(count)) for server in servers]
    if teacher:
        calls.append((teacher_server(config, graph, teacher), _drawing(graph.num_nodes)))
    with torch.inference_mode():
        timings = measure_in_turns(calls, CPU, SECONDS)
    last = timings.pop() if teacher else None
    return Latency(
        AnswerTime(last.median, last.repeats) if last else None,
        tuple(_of_students(timing, *of) for timing, of in zip(timings, kept, strict=True)),
        TURNS,
        torch.get_num_threads(),
        CPU.type,
        torch.__version__,
    )


def _of_students(timing: Timing, variant: Method[Any], students: Sequence[Trained]) -> StudentTime:
    seeds = tuple(student.seed for student in students)
    return StudentTime(timing.median, timing.repeats, seeds, variant.propagation)


def kept_variants(
    method: Method[Any], students: Sequence[Trained]
) -> list[tuple[Method[Any], list[Trained]]]:
    """The variants of ``method`` that some of ``students`` were kept of, each with these."""
    kept: list[tuple[Method[Any], list[Trained]]] = []
    for student in students:
        variant = method.chosen(student.facts)
        same = [own for known, own in kept if known.config == variant.config]
        if same:
            same[0].append(student)
        else:
            kept.append((variant, [student]))
    return kept


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


def _drawing(n: int) -> Callable[[], Tensor]:
    """Draws one of ``n`` nodes, as a request; in every run the same ones in the same order."""
    rng = np.random.default_rng(0)
    return lambda: torch.from_numpy(rng.integers(n, size=1))
