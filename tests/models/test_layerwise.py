"""Answers of a teacher layer by layer, and from drawn neighbourhoods."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import CPU, as_dense_features, config

from gkd_runner.data.graph import GraphData
from gkd_runner.data.synthetic import synthetic
from gkd_runner.graph.sampling import NeighbourSampler
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.layerwise import layerwise
from gkd_runner.models.teacher import Teacher

NODES = 50
NODE_IDS = np.array([3, 17, 49])
COLUMNS = 40
every_teacher = pytest.mark.parametrize("teacher", ["gcn", "sage", "gat"])


def graph(stored: str) -> GraphData:
    made = synthetic(NODES, classes=3, features=COLUMNS, mean_degree=6, seed=0)
    return as_dense_features(made) if stored == "dense" else made


def built(teacher: str, layers: int, width: int) -> Teacher:
    overrides = (f"teacher={teacher}", f"teacher.num_layers={layers}")
    settings = config(*overrides, f"teacher.hidden_dim={width}").teacher
    return build_teacher(settings, COLUMNS, 3, Initializer([0], "teacher initialisation"))


@pytest.mark.parametrize("stored", ["sparse", "dense"])
@pytest.mark.parametrize(("layers", "width"), [(1, 8), (2, 64), (3, 8)])
@every_teacher
def test_layer_by_layer_all_nodes_are_answered_as_in_one_pass(
    teacher: str, layers: int, width: int, stored: str
) -> None:
    model, data = built(teacher, layers, width), graph(stored)
    found = layerwise(model, model.operand(data), CPU, rows=7)
    torch.testing.assert_close(found, model(model.view([data], CPU))[0], atol=1e-5, rtol=1e-5)


@every_teacher
def test_with_enough_neighbours_a_drawn_field_answers_exactly(teacher: str) -> None:
    model, data = built(teacher, 2, 8), graph("dense")
    operand = model.operand(data)
    sampler = NeighbourSampler(data.adjacency, operand.operator, [NODES, NODES])
    field = sampler.draw(NODE_IDS, np.random.default_rng(0))
    found = model(model.field_view([operand], [field], CPU))[0]
    expected = model(model.view([data], CPU))[0][NODE_IDS]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_attention_reads_the_drawn_neighbours_and_the_node_itself() -> None:
    model, data = built("gat", 1, 8), graph("dense")
    operand = model.operand(data)
    sampler = NeighbourSampler(data.adjacency, operand.operator, [2])
    field = sampler.draw(NODE_IDS, np.random.default_rng(0))
    drawn = np.zeros((NODES, NODES), dtype=np.float32)
    for row, node in enumerate(NODE_IDS):
        drawn[node, field.rows[0]] = field.blocks[0].toarray()[row] != 0
    np.fill_diagonal(drawn, 0)
    assert (drawn[NODE_IDS].sum(1) == 2).all()
    thinner = type(data)(data.name, type(data.adjacency)(drawn), data.features, data.labels)
    expected = model(model.view([thinner], CPU))[0][NODE_IDS]
    found = model(model.field_view([operand], [field], CPU))[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
