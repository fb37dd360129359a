from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from dgl_oracle import import_dgl
from support import CPU, as_dense_features, config, dense_symmetric
from torch import Tensor

from gkd_runner.data.graph import GraphData
from gkd_runner.data.synthetic import synthetic
from gkd_runner.data.task import once_per_object
from gkd_runner.graph.features import Features
from gkd_runner.graph.matrix import to_device
from gkd_runner.graph.operators import symmetric
from gkd_runner.models.forms import UNCERTAIN
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.inputs import (
    DenseInputs,
    Inputs,
    PropagatedInputs,
    SparseInputs,
    make_inputs,
    row_inputs,
)
from gkd_runner.models.layers import Initializer
from gkd_runner.models.teacher import Teacher

if sys.version_info >= (3, 13):
    pytest.skip("DGL has no wheels for this Python", allow_module_level=True)

FEATURES = 150
REPLICAS = ["one", "two graphs", "one graph twice"]
SPARSE, DENSE = (0.0, 0.0), (1e9, 1e9)
Stack = Callable[[Any, Tensor], Tensor]


def made_up(seed: int) -> GraphData:
    return synthetic(40, classes=3, features=FEATURES, words_per_node=5, mean_degree=4, seed=seed)


def graphs_of(replicas: str, stored: str) -> list[GraphData]:
    graphs = [made_up(0), made_up(1)]
    if stored == "dense":
        graphs = [as_dense_features(graph) for graph in graphs]
    return {
        "one": graphs[:1],
        "two graphs": graphs,
        "one graph twice": [graphs[0], graphs[0]],
    }[replicas]


def random_teacher(replicas: int, classes: int, *overrides: str) -> Teacher[Any]:
    settings = config("teacher.num_layers=3", "teacher.hidden_dim=8", *overrides).teacher
    init = Initializer(range(replicas), "teacher initialisation")
    model = build_teacher(settings, FEATURES, classes, init)
    torch.manual_seed(5)
    with torch.no_grad():  # biases start at 0, where a mistake would not show
        for bias in model.biases:
            bias.normal_()
    return model


def dgl_graph(graph: GraphData) -> Any:
    dgl = import_dgl()
    looped = (graph.adjacency + np.eye(graph.num_nodes, dtype=np.float32)).nonzero()
    return dgl.graph(tuple(torch.from_numpy(ends.astype(np.int64)) for ends in looped))


def copied(module: Any, values: dict[str, Tensor]) -> Any:
    """``module`` with ``values`` as its parameters: all of them, each of the right shape."""
    assert set(values) == set(dict(module.named_parameters()))
    module.load_state_dict(values)
    return module


def convolutions(model: Teacher[Any], replica: int, kind: str) -> list[Any]:
    nn = import_dgl().nn.pytorch
    layers = []
    for weight, bias in zip(model.weights, model.biases, strict=True):
        w, b = weight[replica].detach(), bias[replica, 0].detach()
        if kind == "gcn":
            module = copied(nn.GraphConv(*w.shape, norm="both"), {"weight": w, "bias": b})
        else:
            values = {"fc_neigh.weight": w.T, "bias": b}
            module = copied(nn.SAGEConv(*w.shape, aggregator_type="gcn"), values)
        layers.append(module)
    return layers


def attentions(model: Teacher[Any], replica: int) -> list[Any]:
    nn = import_dgl().nn.pytorch
    layers = []
    parts = (model.weights, model.biases, model.sender_scores, model.receiver_scores)
    for weight, bias, sender, receiver in zip(*parts, strict=True):
        w = weight[replica].detach()
        heads, width = sender[replica].shape
        values = {
            "fc.weight": w.T,
            "bias": bias[replica, 0].detach(),
            "attn_l": sender[replica : replica + 1].detach(),
            "attn_r": receiver[replica : replica + 1].detach(),
        }
        layers.append(copied(nn.GATConv(w.shape[0], width, heads, negative_slope=0.2), values))
    return layers


def run_stack(layers: list[Any], graph: GraphData, *, attention: bool) -> Tensor:
    """ReLU between layers; attention heads side by side, averaged at the end."""
    structure = dgl_graph(graph)
    h = torch.from_numpy(Features(graph.features).dense())
    for layer in layers[:-1]:
        h = torch.relu(layer(structure, h))
        h = h.flatten(1) if attention else h
    h = layers[-1](structure, h)
    return h.mean(1) if attention else h


def assert_same(
    model: Teacher[Any], graphs: list[GraphData], stacks: list[list[Any]], kind: str
) -> None:
    """Equal logits, and equal gradients of every parameter of every replica."""
    ours = model(model.view(graphs, CPU))
    theirs = torch.stack(
        [
            run_stack(layers, graph, attention=kind == "gat")
            for layers, graph in zip(stacks, graphs, strict=True)
        ]
    )
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    upstream = torch.randn(ours.shape, generator=torch.Generator().manual_seed(3))
    (ours * upstream).sum().backward()
    (theirs * upstream).sum().backward()
    own_names = {
        "weights": {"gcn": "weight", "sage": "fc_neigh.weight", "gat": "fc.weight"}[kind],
        "biases": "bias",
        "sender_scores": "attn_l",
        "receiver_scores": "attn_r",
    }
    compared = 0
    for name, parameter in model.named_parameters():
        group, layer = name.split(".")
        for replica, layers in enumerate(stacks):
            expected = dict(layers[int(layer)].named_parameters())[own_names[group]].grad
            if group == "weights" and kind != "gcn":
                expected = expected.T
            found = parameter.grad[replica].view_as(expected)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, msg=name)
            compared += 1
    assert compared == len(list(model.parameters())) * len(graphs)


@pytest.mark.parametrize("classes", [3, 12], ids=["narrow output", "wide output"])
@pytest.mark.parametrize("stored", ["sparse", "dense"])
@pytest.mark.parametrize("replicas", REPLICAS)
@pytest.mark.parametrize("kind", ["gcn", "sage"])
def test_gcn_and_sage_equal_dgl_convolutions_with_copied_weights(
    kind: str, replicas: str, stored: str, classes: int
) -> None:
    graphs = graphs_of(replicas, stored)
    model = random_teacher(len(graphs), classes, f"teacher={kind}")
    stacks = [convolutions(model, replica, kind) for replica in range(len(graphs))]
    assert_same(model, graphs, stacks, kind)


@pytest.mark.parametrize("output_heads", [1, 4])
@pytest.mark.parametrize("stored", ["sparse", "dense"])
@pytest.mark.parametrize("replicas", REPLICAS)
def test_gat_equals_dgl_gat_conv_with_copied_weights(
    replicas: str, stored: str, output_heads: int
) -> None:
    graphs = graphs_of(replicas, stored)
    model = random_teacher(
        len(graphs), 3, "teacher=gat", f"teacher.output_heads={output_heads}", "teacher.heads=4"
    )
    assert model.sender_scores[0].shape == (len(graphs), 4, 2)
    assert model.sender_scores[-1].shape == (len(graphs), output_heads, 3)
    stacks = [attentions(model, replica) for replica in range(len(graphs))]
    assert_same(model, graphs, stacks, "gat")


def test_a_single_layer_teacher_is_a_single_convolution() -> None:
    graphs = graphs_of("one", "sparse")
    model = random_teacher(1, 3, "teacher=gcn", "teacher.num_layers=1")
    assert len(model.weights) == 1
    assert_same(model, graphs, [convolutions(model, 0, "gcn")], "gcn")


def value_and_gradient(features: Inputs, replicas: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(replicas, FEATURES, 6, generator=generator).requires_grad_()
    out = features.matmul(weight)
    upstream = torch.randn(out.shape, generator=generator)
    (gradient,) = torch.autograd.grad((out * upstream).sum(), weight)
    return out.detach(), gradient


@pytest.mark.parametrize("replicas", REPLICAS)
def forms_of(
    features: list[Features], monkeypatch: pytest.MonkeyPatch
) -> dict[type, tuple[Tensor, Tensor]]:
    """What the inputs compute where the count always decides for one form."""
    forms = {}
    for decided in (SPARSE, DENSE):
        monkeypatch.setitem(UNCERTAIN, "cpu", decided)
        made = make_inputs(features, CPU)
        forms[type(made)] = value_and_gradient(made, len(features))
    return forms


@pytest.mark.parametrize("replicas", REPLICAS)
@pytest.mark.parametrize("coefficients", [(0.0, 1.0), (0.5, 0.0, 0.5), (0.25,) * 4])
def test_factored_and_multiplied_out_inputs_are_the_same_features(
    replicas: str, coefficients: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = graphs_of(replicas, "sparse")
    features = once_per_object(
        graphs, lambda g: Features(g.features, symmetric(g.adjacency), coefficients)
    )
    forms = forms_of(features, monkeypatch)
    factored, multiplied = forms[PropagatedInputs], forms[DenseInputs]
    torch.testing.assert_close(factored, multiplied, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("coefficients", [(0.5, 0.25), (0.5, 0.0), (1.0, -1.0)])
def test_coefficients_that_differ_give_the_same_features_at_any_cost(
    coefficients: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (graph,) = graphs_of("one", "sparse")
    features = Features(graph.features, symmetric(graph.adjacency), coefficients)
    operator = dense_symmetric(graph.adjacency, 1.0)
    x = graph.features.toarray()
    rows = torch.from_numpy(coefficients[0] * x + coefficients[1] * (operator @ x)).float()
    expected = value_and_gradient(DenseInputs(rows.unsqueeze(0), (len(rows),)), 1)
    for found in forms_of([features], monkeypatch).values():
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("replicas", REPLICAS)
def test_dense_bases_can_be_kept_factored_too(replicas: str) -> None:
    graphs = graphs_of(replicas, "dense")
    operators = [symmetric(g.adjacency) for g in graphs]
    halves = row_inputs([Features(g.features / 2) for g in graphs], CPU)
    operator = to_device(operators, CPU)
    factored = PropagatedInputs(halves, operator, (False, True))
    multiplied = [
        Features(g.features, operator, (0.0, 0.5, 0.5))
        for g, operator in zip(graphs, operators, strict=True)
    ]
    torch.testing.assert_close(
        value_and_gradient(factored, len(graphs)),
        value_and_gradient(row_inputs(multiplied, CPU), len(graphs)),
        atol=1e-5,
        rtol=1e-5,
    )


@pytest.mark.parametrize("decided", [SPARSE, DENSE], ids=["sparse", "dense"])
def test_inputs_equal_a_dense_product(
    decided: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UNCERTAIN, "cpu", decided)
    graphs = graphs_of("two graphs", "sparse")
    made = make_inputs([Features(g.features) for g in graphs], CPU)
    assert isinstance(made, SparseInputs if decided == SPARSE else DenseInputs)
    assert made.num_features == FEATURES
    weight = torch.randn(2, FEATURES, 4, generator=torch.Generator().manual_seed(0))
    rows = torch.stack([torch.from_numpy(Features(g.features).dense()) for g in graphs])
    torch.testing.assert_close(made.matmul(weight), rows @ weight, atol=1e-5, rtol=1e-5)


def test_gcn_propagates_with_the_symmetric_operator() -> None:
    graph = made_up(0)
    model = random_teacher(1, 3, "teacher=gcn", "teacher.num_layers=1")
    weight, bias = model.weights[0][0].detach().numpy(), model.biases[0][0].detach().numpy()
    expected = dense_symmetric(graph.adjacency, 1.0) @ graph.features.toarray() @ weight + bias
    found = model(model.view([graph], CPU))[0].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
