"""Neighbourhoods that DGL draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import dense, random_features, random_graph

from gkd_runner.common.errors import ConfigError
from gkd_runner.graph import sampling
from gkd_runner.graph.field import Field
from gkd_runner.graph.operators import symmetric
from gkd_runner.graph.sampling import NeighbourSampler

NODES = 40
GRAPH = random_graph(NODES, random_features(NODES, 3))
OPERATOR = symmetric(GRAPH.adjacency)
DEGREES = dense(GRAPH.adjacency).sum(1)
TARGETS = np.array([7, 3, NODES - 1, 21])  # the last node has no neighbours


def draw(seed: int, fan_outs: list[int]) -> Field:
    sampler = NeighbourSampler(GRAPH.adjacency, OPERATOR, fan_outs)
    return sampler.draw(TARGETS, np.random.default_rng(seed))


def written_out(field: Field, layer: int) -> np.ndarray:
    """The block of a layer (from 1) as rows and columns of the whole graph."""
    targets, sources = field.rows[layer], field.rows[layer - 1]
    matrix = np.zeros((len(targets), NODES))
    matrix[:, sources] = dense(field.blocks[layer - 1])
    return matrix


def test_with_enough_neighbours_every_block_is_the_operator() -> None:
    field = draw(0, [NODES, NODES])
    np.testing.assert_array_equal(field.rows[2], TARGETS)
    for layer in (1, 2):
        expected = dense(OPERATOR)[field.rows[layer]]
        np.testing.assert_allclose(written_out(field, layer), expected, rtol=1e-6)


def test_each_node_is_the_source_of_itself() -> None:
    field = draw(0, [2, 3])
    for layer in (1, 2):
        sources, own = field.rows[layer - 1], field.own[layer - 1]
        np.testing.assert_array_equal(sources[own], field.rows[layer])


def test_the_last_number_is_of_the_layer_nearest_to_the_answers() -> None:
    field = draw(0, [1, 4])
    for layer, fan_out in ((1, 1), (2, 4)):
        read = (written_out(field, layer) != 0).sum(1)
        expected = 1 + np.minimum(fan_out, DEGREES[field.rows[layer]])
        np.testing.assert_array_equal(read, expected)


def test_the_mean_of_many_draws_is_the_operator_and_self_loops_are_exact() -> None:
    blocks = np.stack([written_out(draw(seed, [2]), 1) for seed in range(3000)])
    exact = dense(OPERATOR)[TARGETS]
    error = blocks.std(0) / np.sqrt(len(blocks))
    assert (np.abs(blocks.mean(0) - exact) <= 5 * error + 1e-6).all()
    assert blocks.std(0).max() > 0.05
    own = blocks[:, np.arange(len(TARGETS)), TARGETS]
    np.testing.assert_allclose(own, np.broadcast_to(OPERATOR.diagonal()[TARGETS], own.shape))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_seed_draws_the_same_neighbours_with_any_number_of_threads(threads: int) -> None:
    expected = draw(5, [2, 2])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = draw(5, [2, 2])
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for ours, theirs in zip(found.rows, expected.rows, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any(
        a.shape != b.shape or (a != b).any()
        for a, b in zip(draw(6, [2, 2]).rows, expected.rows, strict=True)
    )


def test_without_dgl_the_message_tells_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("No module named 'dgl'")

    monkeypatch.setattr(sampling, "import_dgl", missing)
    with pytest.raises(ConfigError, match=r"fan_outs=\[5, 10\].*No module named.*fan_outs=null"):
        NeighbourSampler(GRAPH.adjacency, OPERATOR, [5, 10])
