from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from support import edges_with_loops, looped_batch, random_features, random_graph
from torch import Tensor

from gkd_runner.graph.chunks import edge_chunks
from gkd_runner.graph.hardness import annealed, edge_cosines, hardness, keep_probability


def predictions(replicas: int, nodes: int = 15, classes: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(3 * torch.randn(replicas, nodes, classes, generator=generator), dim=2)


@pytest.mark.parametrize("replicas", [1, 3])
def test_hardness_is_the_entropy_over_the_largest_of_the_same_replica(replicas: int) -> None:
    probabilities = predictions(replicas)
    expected = entropy(probabilities.double().numpy(), axis=2)
    expected /= expected.max(axis=1, keepdims=True)
    found = hardness(probabilities)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(found.amax(1).numpy(), np.ones(replicas))


def test_hardness_of_exactly_zero_becomes_1e_8() -> None:
    probabilities = predictions(2)
    probabilities[1, 3] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    found = hardness(probabilities)
    assert found[1, 3].item() == pytest.approx(1e-8)
    assert (found > 0).all()


def test_hardness_is_defined_when_every_prediction_is_certain() -> None:
    certain = torch.eye(4).expand(1, 4, 4)
    np.testing.assert_allclose(hardness(certain).numpy(), np.full((1, 4), 1e-8))


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("alpha", [0.05, 5.0])
def test_the_probability_of_keeping_an_edge_equals_its_formula(replicas: int, alpha: float) -> None:
    members = [random_graph(15, random_features(15, 3), seed=seed) for seed in range(replicas)]
    graph = looped_batch(members)
    t, s = predictions(replicas), predictions(replicas, seed=1)
    ht, hs = hardness(t), hardness(s)
    (chunk,) = edge_chunks(graph)
    found = keep_probability(chunk, edge_cosines(graph, t), (ht * hs).sqrt(), ht, alpha).tolist()
    expected = []
    for r, member in enumerate(members):
        for i, j in edges_with_loops(member):
            ti, tj = t[r, i].double(), t[r, j].double()
            cosine = float(ti @ tj / (ti.norm() * tj.norm()))
            own = math.sqrt(float(ht[r, i]) * float(hs[r, i]))
            p = 1 - math.exp(-alpha * cosine * own / float(ht[r, j]))
            expected.append(1.0 if i == j else p)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_probabilities_lie_in_the_unit_interval_and_self_loops_are_certain() -> None:
    graph = looped_batch([random_graph(15, random_features(15, 3))])
    t = predictions(1)
    t[0, 2] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    (chunk,) = edge_chunks(graph)
    found = keep_probability(chunk, edge_cosines(graph, t), hardness(t), hardness(t), 1e4)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[graph.loops] == 1).all()


def test_an_edge_without_similarity_is_dropped_however_certain_its_neighbour_is() -> None:
    graph = looped_batch([random_graph(15, random_features(15, 3))])
    (chunk,) = edge_chunks(graph)
    own, neighbour = torch.ones(1, 15), torch.full((1, 15), 1e-44)
    found = keep_probability(chunk, torch.zeros(graph.num_edges), own, neighbour, 5.0)
    is_loop = graph.senders == graph.receivers
    torch.testing.assert_close(found, is_loop.float())


@pytest.mark.parametrize("max_epochs", [2, 25, 500])
def test_alpha_is_annealed_by_a_factor_of_one_hundred(max_epochs: int) -> None:
    values = [annealed(5.0, epoch, max_epochs) for epoch in range(1, max_epochs + 1)]
    assert values[0] == pytest.approx(5.0)
    assert values[-1] == pytest.approx(0.05)
    ratios = np.divide(values[1:], values[:-1])
    np.testing.assert_allclose(ratios, 100 ** (-1 / (max_epochs - 1)))


def test_a_single_epoch_is_not_annealed() -> None:
    assert annealed(5.0, 1, 1) == 5.0
