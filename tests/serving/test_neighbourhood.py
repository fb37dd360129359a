"""A request gathers what gives the logits of a pass over the whole graph, and reads no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support import (
    CPU,
    as_dense_features,
    config,
    dense,
    random_features,
    random_graph,
    small_graph,
)

from gkd_runner.data.graph import GraphData
from gkd_runner.graph.features import Features
from gkd_runner.methods.infgrand import InfGraND
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.inputs import row_inputs
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import build_student
from gkd_runner.options.schema import Config
from gkd_runner.serving import neighbourhood as gathering
from gkd_runner.serving import propagation
from gkd_runner.serving.servers import make_servers

GRAPHS = {
    "sparse features": small_graph(),
    "dense features": as_dense_features(small_graph()),
    "an isolated node": random_graph(40, random_features(40, 12), seed=3),
}
STUDENTS = ("mlp", "infgrand-mlp", "infgrand-mlp-on-request")


def settings(teacher: str, *overrides: str) -> Config:
    return config("method=infgrand", f"teacher={teacher}", *overrides)


def requests(graph: GraphData) -> list[torch.Tensor]:
    """One node, the last (which may be isolated), some, and all."""
    n = graph.num_nodes
    some = np.random.default_rng(0).choice(n, 9, replace=False)
    return [torch.tensor([n // 2]), torch.tensor([n - 1]), torch.from_numpy(some), torch.arange(n)]


def within(graph: GraphData, nodes: torch.Tensor, hops: int) -> int:
    """How many nodes are at most ``hops`` edges away from ``nodes``."""
    near = np.zeros(graph.num_nodes)
    near[nodes.numpy()] = 1
    for _ in range(hops):
        near = (near + dense(graph.adjacency) @ near > 0).astype(float)
    return int(near.sum())


@pytest.fixture(params=[2000, 0], ids=["sorted", "marked"])
def either_way_to_distinct_nodes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "FEW", request.param)


@pytest.mark.usefixtures("either_way_to_distinct_nodes")
@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("teacher", ["gcn", "sage", "gat"])
def test_a_gathered_neighbourhood_answers_as_the_full_graph_does(
    teacher: str, layers: int, kind: str
) -> None:
    graph, chosen = GRAPHS[kind], settings(teacher, f"teacher.num_layers={layers}")
    init = Initializer(chosen.seeds[:1], "teacher initialisation")
    model = build_teacher(chosen.teacher, graph.num_features, graph.num_classes, init)
    server = make_servers(chosen, chosen.method, graph, CPU)[teacher]
    with torch.inference_mode():
        whole = model(model.view([graph], CPU))[0]
        for nodes in requests(graph):
            answer = server(nodes)
            torch.testing.assert_close(answer.logits, whole[nodes], atol=1e-5, rtol=0)
            assert answer.nodes_read == within(graph, nodes, layers)


@pytest.mark.parametrize("teacher", ["gcn", "sage", "gat"])
def test_nodes_further_away_than_the_layers_reach_are_not_read(teacher: str) -> None:
    graph, chosen = GRAPHS["an isolated node"], settings(teacher)
    nodes = torch.tensor([5])
    near = np.linalg.matrix_power(dense(graph.adjacency) + np.eye(40), 2)[5] > 0
    poisoned = dense(graph.features).astype(np.float32)
    poisoned[~near] = np.nan
    assert not near.all()
    poisoned_graph = replace(graph, features=poisoned)

    with torch.inference_mode():
        clean = make_servers(chosen, chosen.method, graph, CPU)[teacher](nodes).logits
        other = make_servers(chosen, chosen.method, poisoned_graph, CPU)[teacher](nodes).logits
    assert torch.equal(clean, other)


@pytest.mark.parametrize("cost", [0, 10**6], ids=["weights first", "projected first"])
@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("hops", [0, 1, 3])
def test_students_answer_alike_whether_features_are_propagated_beforehand_or_on_request(
    hops: int, kind: str, cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propagation, "SCATTER_COST", cost)
    graph, chosen = GRAPHS[kind], settings("gcn", f"method.propagation_hops={hops}")
    init = Initializer(chosen.seeds[:1], "student initialisation")
    student = build_student(chosen.student, graph.num_features, graph.num_classes, init)
    propagated = InfGraND(chosen.method).features(graph)
    servers = make_servers(chosen, chosen.method, graph, CPU)
    with torch.inference_mode():
        raw, smooth = (
            student(row_inputs([features], CPU))[0]
            for features in (Features(graph.features), propagated)
        )
        for nodes in requests(graph):
            answers = [servers[name](nodes) for name in STUDENTS]
            for answer, whole in zip(answers, (raw, smooth, smooth), strict=True):
                torch.testing.assert_close(answer.logits, whole[nodes], atol=1e-5, rtol=0)
            read = [answer.nodes_read for answer in answers]
            assert read == [len(nodes), len(nodes), within(graph, nodes, hops)]
