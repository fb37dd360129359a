from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.checks import check_graph
from gkd_runner.data.graph import GraphData
from gkd_runner.data.synthetic import synthetic


@pytest.fixture(scope="module")
def graph() -> GraphData:
    return synthetic(4000, seed=3)


def same_class_share(graph: GraphData) -> float:
    ends = graph.adjacency.tocoo()
    return float((graph.labels[ends.row] == graph.labels[ends.col]).mean())


def centroid_accuracy(rows: sp.csr_array, labels: np.ndarray[Any, Any]) -> float:
    """Accuracy of the nearest class mean, means from 20 nodes per class."""
    rows = rows.toarray()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    shown = [np.flatnonzero(labels == label)[:20] for label in range(labels.max() + 1)]
    means = np.stack([rows[ids].mean(axis=0) for ids in shown])
    rest = np.setdiff1d(np.arange(len(labels)), np.concatenate(shown))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return float(((rows[rest] @ means.T).argmax(axis=1) == labels[rest]).mean())


def test_a_made_up_graph_passes_every_check_of_a_loaded_one(graph: GraphData) -> None:
    check_graph(graph, "synthetic")
    assert graph.adjacency.dtype == graph.features.dtype == np.float32
    assert graph.labels.dtype == np.int64
    assert graph.splits == ()


def test_sizes_are_those_asked_for(graph: GraphData) -> None:
    assert (graph.num_nodes, graph.num_classes, graph.num_features) == (4000, 7, 700)
    assert graph.num_edges == 4000 * 8
    counts = np.bincount(graph.labels)
    assert counts.max() - counts.min() <= 1


def test_every_node_has_its_words_as_counts(graph: GraphData) -> None:
    assert (graph.features.sum(axis=1) == 20).all()
    assert graph.features.data.min() >= 1


@pytest.mark.parametrize("homophily", [0.0, 0.3, 0.8, 1.0])
def test_the_share_of_edges_within_a_class_is_the_homophily(homophily: float) -> None:
    graph = synthetic(4000, homophily=homophily)
    assert same_class_share(graph) == pytest.approx(homophily, abs=0.02)


def test_a_power_law_has_hubs_and_an_infinite_exponent_has_none(graph: GraphData) -> None:
    even = synthetic(4000, degree_exponent=math.inf, seed=3)
    assert np.diff(graph.adjacency.indptr).max() > 100
    assert np.diff(even.adjacency.indptr).max() < 30


def test_neighbours_tell_much_more_than_a_nodes_own_words(graph: GraphData) -> None:
    n = graph.num_nodes
    step = sp.csr_array(graph.adjacency + sp.eye(n))
    step = sp.csr_array(sp.diags(1 / step.sum(axis=1)) @ step)
    alone = centroid_accuracy(graph.features, graph.labels)
    together = centroid_accuracy(step @ step @ graph.features, graph.labels)
    assert alone > 1.5 / graph.num_classes
    assert together > alone + 0.25


def test_the_seed_decides_the_graph(graph: GraphData) -> None:
    assert synthetic(4000, seed=3).fingerprint == graph.fingerprint
    assert synthetic(4000, seed=4).fingerprint != graph.fingerprint


def test_features_do_not_change_the_edges(graph: GraphData) -> None:
    other = synthetic(4000, seed=3, features=70, words_per_node=3, feature_signal=0.9)
    assert (other.adjacency != graph.adjacency).nnz == 0
    assert (other.labels == graph.labels).all()


def test_the_smallest_graphs_work() -> None:
    graph = synthetic(8, classes=2, features=2, mean_degree=1.0, words_per_node=1)
    check_graph(graph, "synthetic")
    assert graph.num_edges == 8


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("nodes", 1, "at least 2"),
        ("classes", 1, "2 to the number of nodes"),
        ("classes", 101, "2 to the number of nodes"),
        ("features", 6, "at least one word per class"),
        ("mean_degree", 0.0, "above 0, at most 6.5"),
        ("mean_degree", 7.0, "above 0, at most 6.5"),
        ("mean_degree", math.nan, "above 0"),
        ("homophily", 1.1, "0 to 1"),
        ("homophily", -0.1, "0 to 1"),
        ("degree_exponent", 2.0, "above 2, or inf"),
        ("words_per_node", 0, "at least 1"),
        ("feature_signal", 2.0, "0 to 1"),
        ("seed", -1, "0 or more"),
    ],
)
def test_an_argument_out_of_range_is_refused_with_what_is_allowed(
    argument: str, value: float, allowed: str
) -> None:
    arguments: dict[str, Any] = {"nodes": 100, "mean_degree": 4.0, argument: value}
    with pytest.raises(DataError, match=f"{argument}={value}: allowed is {allowed}"):
        synthetic(**arguments)


def test_all_arguments_out_of_range_are_reported_at_once() -> None:
    with pytest.raises(DataError) as error:
        synthetic(100, mean_degree=4.0, homophily=2.0, feature_signal=-1.0)
    assert "homophily=2.0" in str(error.value)
    assert "feature_signal=-1.0" in str(error.value)
