from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from support import (
    config,
    dense,
    dense_influence,
    dense_symmetric,
    no_answer,
    random_features,
    random_graph,
)

from gkd_runner.common.progress import progress_to
from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.task import Task
from gkd_runner.graph import influence as module
from gkd_runner.graph import smallest_product
from gkd_runner.graph.influence import influence
from gkd_runner.graph.operators import symmetric
from gkd_runner.methods.base import Classroom
from gkd_runner.methods.infgrand import InfGraND

NODES = 30
KINDS: dict[str, dict[str, Any]] = {
    "sparse": {"density": 0.2},
    "nearly full sparse": {"density": 0.95},
    "dense": {},
    "signed sparse": {"density": 0.5, "signed": True},
    "signed dense": {"signed": True},
}


def made_up(kind: str, seed: int = 0) -> GraphData:
    return random_graph(NODES, random_features(NODES, 8, seed=seed, **KINDS[kind]), seed=seed)


def smallest_cosine(graph: GraphData, self_loops: float) -> float:
    operator = dense_symmetric(graph.adjacency, self_loops)
    x = dense(graph.features)
    y = operator @ operator @ x
    norms = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y)]
    units = [rows / np.maximum(norm, 1e-12) for rows, norm in zip((x, y), norms, strict=True)]
    return float((units[0] @ units[1].T).min())


@pytest.fixture(params=[1024, 7], ids=["one block", "several blocks"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "BLOCK", request.param)
    monkeypatch.setattr(smallest_product, "BLOCK", {"cpu": (request.param * 4, request.param)})
    return request.param


@pytest.mark.parametrize("columns", [None, NODES, 19, 1])
@pytest.mark.parametrize("self_loops", [1.0, 2.0])
@pytest.mark.parametrize("kind", list(KINDS))
def test_influence_equals_its_dense_definition(
    kind: str, self_loops: float, columns: int | None, block: int
) -> None:
    for seed in range(3):
        graph = made_up(kind, seed)
        expected = dense_influence(
            graph.features, dense_symmetric(graph.adjacency, self_loops), columns
        )
        found = influence(graph.features, symmetric(graph.adjacency, self_loops), columns).scores
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_kinds_of_features_cover_every_sign_of_the_smallest_cosine() -> None:
    assert smallest_cosine(made_up("dense"), 2.0) > 0.01
    assert smallest_cosine(made_up("signed dense"), 2.0) < -0.01
    sparse = made_up("nearly full sparse")
    assert smallest_cosine(sparse, 2.0) > 0.01
    assert sp.issparse(sparse.features)


@pytest.mark.parametrize("node", [3, NODES - 1], ids=["with neighbours", "isolated"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_node_without_features_has_cosine_zero_with_every_other(
    kind: str, node: int, block: int
) -> None:
    graph = made_up(kind)
    features = dense(graph.features).astype(np.float32)
    features[node] = 0
    stored = sp.csr_array(features) if sp.issparse(graph.features) else features
    expected = dense_influence(features, dense_symmetric(graph.adjacency, 2.0))
    found = influence(stored, symmetric(graph.adjacency, 2.0)).scores
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_explicit_zeros_among_sparse_features_change_nothing() -> None:
    graph = made_up("sparse")
    features = graph.features.copy()
    features.data[::3] = 0
    operator = symmetric(graph.adjacency, 2.0)
    expected = dense_influence(features, dense(operator))
    np.testing.assert_allclose(influence(features, operator).scores, expected, atol=2e-6)


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_nodes_that_all_look_alike_have_equal_influence(columns: int) -> None:
    graph = random_graph(NODES, np.full((NODES, columns), 0.3, dtype=np.float32))
    found = influence(graph.features, symmetric(graph.adjacency, 2.0)).scores
    np.testing.assert_allclose(found, np.ones(NODES), atol=1e-5)


@pytest.mark.parametrize("columns", [None, 19])
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_error_of_an_estimate_is_within_its_bound(
    kind: str, columns: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STARTS", 1)
    for seed in range(20):
        graph = made_up(kind, seed)
        operator = symmetric(graph.adjacency, 2.0)
        truth = dense_influence(graph.features, dense(operator), columns)
        found = influence(graph.features, operator, columns, exact=False)
        below = truth - found.scores
        assert below.min() >= -2e-6
        assert below.max() <= found.error + 2e-6
        cosine = smallest_cosine(graph, 2.0)
        assert found.lowest_cosine - 1e-6 <= cosine <= found.smallest_cosine + 1e-6


def test_some_estimate_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = made_up("signed dense")
    operator = symmetric(graph.adjacency, 2.0)
    exact = influence(graph.features, operator)
    monkeypatch.setattr(module, "smallest_from_above", lambda *_: exact.smallest_cosine + 0.1)
    found = influence(graph.features, operator, exact=False)
    below = exact.scores - found.scores
    assert 0.001 < below.max() <= found.error


def test_an_exact_search_leaves_no_error() -> None:
    for kind in KINDS:
        graph = made_up(kind)
        found = influence(graph.features, symmetric(graph.adjacency, 2.0))
        assert found.error == 0
        assert found.lowest_cosine == found.smallest_cosine
        assert found.smallest_cosine == pytest.approx(smallest_cosine(graph, 2.0), abs=1e-6)


def test_an_estimate_is_told(caplog: pytest.LogCaptureFixture) -> None:
    graph = made_up("signed dense")
    with caplog.at_level("INFO", "gkd_runner"):
        influence(graph.features, symmetric(graph.adjacency, 2.0))
        assert not caplog.messages
        found = influence(graph.features, symmetric(graph.adjacency, 2.0), exact=False)
    assert len(caplog.messages) == 1
    assert f"more than {found.error:.3f} above its estimate" in caplog.messages[0]


def test_the_search_tells_its_progress() -> None:
    graph, told = made_up("signed dense"), []
    with progress_to(lambda work, share: told.append((work, share))):
        influence(graph.features, symmetric(graph.adjacency, 2.0))
    assert {work for work, _ in told} == {"influence"}
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def inductive_task(graph: GraphData) -> Task:
    """Hidden nodes spread over the ids, so that the first ids are not the observed ones."""
    ids = np.arange(NODES)
    hidden = ids[2::5]
    observed = np.setdiff1d(ids, hidden)
    split = Split(observed[:6], observed[6:12], np.sort(np.concatenate([observed[12:], hidden])))
    return Task(0, graph, split, observed, hidden)


def scores_of(task: Task, influence_graph: str) -> np.ndarray[Any, Any]:
    """The scores that the method uses, read back from its label weights."""
    settings = config("method=infgrand", f"method.influence_graph={influence_graph}").method
    settings = replace(settings, delta_1=0.0, delta_2=1.0)
    method = InfGraND(settings)
    n = task.training_graph.num_nodes
    method.prepare(Classroom([task], torch.zeros(1, n, 3), 10, no_answer))
    rows = torch.arange(n).unsqueeze(0)
    return (method.label_weights(rows)[0] * n).numpy()


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_honest_inductive_influence_is_that_of_the_observed_graph_alone(kind: str) -> None:
    task = inductive_task(made_up(kind))
    keep = np.ix_(task.observed, task.observed)
    features = dense(task.graph.features)[task.observed]
    operator = dense_symmetric(dense(task.graph.adjacency)[keep], 2.0)
    expected = dense_influence(features, operator)
    np.testing.assert_allclose(scores_of(task, "observed"), expected, atol=2e-6)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_published_inductive_influence_sums_the_first_columns_of_the_full_graph(
    kind: str,
) -> None:
    task = inductive_task(made_up(kind))
    operator = dense_symmetric(task.graph.adjacency, 2.0)
    everyone = dense_influence(task.graph.features, operator, columns=len(task.observed))
    found = scores_of(task, "published")
    np.testing.assert_allclose(found, everyone[task.observed], atol=2e-6)
    assert not np.allclose(found, scores_of(task, "observed"), atol=1e-3)
