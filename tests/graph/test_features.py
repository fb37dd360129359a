from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from support import CPU, dense, dense_symmetric, random_features, random_graph

from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.graph.features import Features
from gkd_runner.graph.matrix import to_device
from gkd_runner.graph.operators import sage_mean, symmetric

COEFFICIENTS = [(1.0,), (0.5, 0.5), (0.0, 0.0, 1.0), (0.25, -1.0, 0.0, 2.0)]
BASES = {"sparse": 0.2, "dense": 1.0}


def made_up(base: str, nodes: int = 15) -> GraphData:
    return random_graph(nodes, random_features(nodes, 6, density=BASES[base]))


def polynomial(features: Features) -> FloatArray:
    """``sum_k c_k A^k X`` by dense matrix powers."""
    operator = dense(features.operator)
    terms = [
        coefficient * np.linalg.matrix_power(operator, hop) @ dense(features.base)
        for hop, coefficient in enumerate(features.coefficients)
    ]
    return np.sum(terms, axis=0)


@pytest.mark.parametrize("coefficients", COEFFICIENTS, ids=lambda c: f"{len(c) - 1} hops")
@pytest.mark.parametrize("base", list(BASES))
def test_every_form_of_features_equals_the_dense_polynomial(
    base: str, coefficients: tuple[float, ...]
) -> None:
    graph = made_up(base)
    features = Features(graph.features, symmetric(graph.adjacency), coefficients)
    expected = polynomial(features)
    assert features.shape == expected.shape
    assert features.hops == len(coefficients) - 1
    np.testing.assert_allclose(features.dense(), expected, atol=1e-5)
    multiplied = features.multiplied_out()
    assert multiplied.operator is None
    np.testing.assert_allclose(dense(multiplied.base), expected, atol=1e-5)
    ids = np.array([14, 3, 3, 0])
    rows = features.rows(ids)
    assert rows.operator is None
    np.testing.assert_allclose(rows.dense(), expected[ids], atol=1e-5)
    assert features.dense().dtype == rows.dense().dtype == np.float32


@pytest.mark.parametrize("base", list(BASES))
def test_features_without_an_operator_are_the_base(base: str) -> None:
    graph = made_up(base)
    features = Features(graph.features)
    np.testing.assert_array_equal(features.dense(), dense(graph.features))
    np.testing.assert_array_equal(features.rows(np.array([2, 0])).dense(), features.dense()[[2, 0]])
    assert features.multiplied_out() is features


def test_sparse_features_stay_sparse() -> None:
    graph = made_up("sparse")
    features = Features(graph.features, symmetric(graph.adjacency), (0.5, 0.5))
    assert sp.issparse(features.multiplied_out().base)
    assert sp.issparse(features.rows(np.array([1])).base)


@pytest.mark.parametrize("self_loops", [1.0, 2.0])
def test_the_symmetric_operator_equals_its_formula(self_loops: float) -> None:
    adjacency = made_up("dense").adjacency
    found = symmetric(adjacency, self_loops)
    assert found.dtype == np.float32
    np.testing.assert_allclose(dense(found), dense_symmetric(adjacency, self_loops), atol=1e-6)


def test_an_isolated_node_keeps_its_own_features() -> None:
    adjacency = sp.csr_array((3, 3), dtype=np.float32)
    for operator in (symmetric(adjacency, 1.0), symmetric(adjacency, 2.0), sage_mean(adjacency)):
        np.testing.assert_array_equal(dense(operator), np.eye(3))


def test_sage_averages_the_looped_neighbourhood_and_the_node_once_more() -> None:
    adjacency = made_up("dense").adjacency
    looped = dense(adjacency) + np.eye(adjacency.shape[0])
    expected = (looped + np.eye(len(looped))) / (looped.sum(1, keepdims=True) + 1)
    np.testing.assert_allclose(dense(sage_mean(adjacency)), expected, atol=1e-6)


def test_matrices_on_the_device_are_padded_and_stacked_along_the_diagonal() -> None:
    members = [made_up("dense"), random_graph(12, random_features(12, 6), seed=3)]
    matrices = [symmetric(member.adjacency)[:, :10] for member in members]
    on_device = to_device(matrices, CPU, rows_per_block=4)
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    expected = np.zeros((30, 20), dtype=np.float32)
    expected[:15, :10], expected[15:27, 10:] = (matrix.toarray() for matrix in matrices)
    out = on_device(x)
    np.testing.assert_allclose(out.detach().numpy(), expected @ x.detach().numpy(), atol=1e-5)
    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((out * upstream).sum(), x)
    np.testing.assert_allclose(gradient.numpy(), expected.T @ upstream.numpy(), atol=1e-5)
