"""Models that answer requests: ids of nodes in, their logits out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gkd_runner.common.errors import ConfigError
from gkd_runner.data.graph import GraphData
from gkd_runner.graph.features import Features
from gkd_runner.graph.operators import symmetric, with_self_loops
from gkd_runner.methods.infgrand import InfGraND, InfgrandConfig
from gkd_runner.models.convolutional import Convolutional
from gkd_runner.models.gat import Gat
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import build_student
from gkd_runner.options.schema import Config
from gkd_runner.serving.gathered import attended, attentions_of, convolved
from gkd_runner.serving.matrices import (
    DenseMatrix,
    Layer,
    RowSource,
    SparseMatrix,
    feature_matrix,
    layers_of,
)
from gkd_runner.serving.neighbourhood import neighbourhood
from gkd_runner.serving.propagation import PropagatedFeatures


@dataclass(frozen=True, eq=False)
class Answer:
    """Logits of the nodes of one request, and the number of nodes whose features it read."""

    logits: Float[Tensor, "k C"]
    nodes_read: int


Server = Callable[[Int[Tensor, " k"]], Answer]
"""Answers a request for nodes given by their distinct ids."""


def make_servers(
    config: Config, method: InfgrandConfig, graph: GraphData, device: torch.device
) -> Mapping[str, Server]:
    """The teacher and the students of ``config`` with fresh weights, by their names in the CSV."""
    mlp = fresh_student(config, graph, device)
    raw = feature_matrix(Features(graph.features), device)
    propagated = feature_matrix(InfGraND(method).features(graph), device)
    return {
        config.teacher.name: serve_fresh_teacher(config, graph, raw, device),
        "mlp": serve_student(mlp, raw),
        "infgrand-mlp": serve_student(mlp, propagated),
        "infgrand-mlp-on-request": serve_on_request(mlp, method, graph, raw, device),
    }


def fresh_student(config: Config, graph: GraphData, device: torch.device) -> list[Layer]:
    """The layers of an untrained student, which is as fast as a trained one."""
    init = Initializer(config.seeds[:1], "student initialisation")
    student = build_student(config.student, graph.num_features, graph.num_classes, init)
    return layers_of(student.to(device))


def serve_fresh_teacher(
    config: Config, graph: GraphData, raw: RowSource, device: torch.device
) -> Server:
    """A server of an untrained teacher, on the ``raw`` features of all nodes."""
    init = Initializer(config.seeds[:1], "teacher initialisation")
    teacher = build_teacher(config.gnn, graph.num_features, graph.num_classes, init)
    return serve_teacher(teacher.to(device), config.gnn.num_layers, graph, raw, device)


def serve_teacher(
    teacher: Convolutional | Gat, depth: int, graph: GraphData, raw: RowSource, device: torch.device
) -> Server:
    """A server that gathers as many hops as the teacher has layers, and runs on these alone."""
    if isinstance(teacher, Convolutional):
        matrix, run = teacher.matrix(graph.adjacency), partial(convolved, layers_of(teacher))
    else:
        matrix, run = with_self_loops(graph.adjacency), partial(attended, attentions_of(teacher))
    operator = SparseMatrix.of(matrix, device)

    def answer(nodes: Int[Tensor, " k"]) -> Answer:
        hops = neighbourhood(operator, nodes, depth)
        logits = run(hops, raw.take(hops[0].senders))
        return Answer(logits, len(hops[0].senders))

    return answer


def serve_student(layers: Sequence[Layer], rows: RowSource) -> Server:
    """A server that looks up the nodes' features, raw or propagated beforehand."""

    def answer(nodes: Int[Tensor, " k"]) -> Answer:
        return Answer(classified(layers, rows.take(nodes)), len(nodes))

    return answer


def classified(
    layers: Sequence[Layer], inputs: SparseMatrix | DenseMatrix | PropagatedFeatures
) -> Float[Tensor, "k C"]:
    """The MLP's logits."""
    weight, bias = layers[0]
    h = inputs.matmul(weight) + bias
    for weight, bias in layers[1:]:
        h = torch.addmm(bias, torch.relu(h), weight)
    return h


def serve_on_request(
    layers: Sequence[Layer],
    method: InfgrandConfig,
    graph: GraphData,
    raw: RowSource,
    device: torch.device,
) -> Server:
    """A server that gathers P hops and propagates raw features over them."""
    if method.pooling != "mean":
        raise ConfigError(
            [f"method.pooling={method.pooling}: on request only mean is measured; leave it out"]
        )
    operator = SparseMatrix.of(symmetric(graph.adjacency, method.self_loops), device)

    def answer(nodes: Int[Tensor, " k"]) -> Answer:
        hops = neighbourhood(operator, nodes, method.propagation_hops)
        read = hops[0].senders if hops else nodes
        inputs = PropagatedFeatures(hops, raw.take(read), len(nodes), graph.num_features)
        return Answer(classified(layers, inputs), len(read))

    return answer
