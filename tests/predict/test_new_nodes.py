"""Features of new nodes: exact ones equal a full recomputation, cheap ones come near."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from support import dense, random_features, random_graph

from gkd_runner.data.datasets import row_normalized as of_training
from gkd_runner.data.graph import GraphData
from gkd_runner.graph.propagation import Propagation
from gkd_runner.predict import new_nodes
from gkd_runner.predict.new_nodes import (
    Links,
    Recipe,
    cheap_features,
    exact_features,
    row_normalized,
)

N, NEW = 60, 5
POOLINGS = ("mean", "max", "min")


def parted(density: float, *, signed: bool = False) -> tuple[GraphData, GraphData, Links]:
    """A graph, the same without its last nodes, and the edges of these nodes.

    Two of the new nodes are neighbours, and one has no neighbour.
    """
    features = random_features(N, 12, density=density, signed=signed, seed=2)
    upper = np.triu(np.random.default_rng(5).random((N, N)) < 5 / N, k=1)
    upper[:, -1] = False
    upper[-3, -2] = True
    adjacency = sp.csr_array((upper + upper.T).astype(np.float32))
    whole = replace(random_graph(N, features), adjacency=adjacency)
    known = np.arange(N - NEW)
    edges = np.argwhere(dense(adjacency) > 0)
    edges = edges[(edges[:, 0] >= N - NEW)]
    return whole, whole.subgraph(known), Links.of(edges, N - NEW, NEW)


@pytest.mark.parametrize("density", [1.0, 0.3])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("hops", "self_loops"), [(1, 1.0), (2, 2.0), (4, 0.5)])
def test_exact_features_are_those_of_the_graph_with_the_new_nodes(
    hops: int, self_loops: float, pooling: str, density: float
) -> None:
    whole, known, links = parted(density, signed=True)
    expected = Propagation(hops, self_loops, pooling).features(whole.adjacency, whole.features)

    found = exact_features(
        known.adjacency,
        known.features,
        whole.features[N - NEW :],
        links,
        Recipe(hops, self_loops, pooling),
    )

    np.testing.assert_allclose(found, expected.dense()[N - NEW :], atol=1e-5)


def test_exact_features_read_only_the_neighbourhood() -> None:
    whole, known, links = parted(1.0)
    looped = dense(whole.adjacency) + np.eye(N)
    near = (np.linalg.matrix_power(looped, 2)[N - NEW :] > 0).any(0)[: N - NEW]
    poisoned = known.features.copy()
    poisoned[~near] = np.nan
    assert 0 < near.sum() < N - NEW

    found = exact_features(
        known.adjacency, poisoned, whole.features[N - NEW :], links, Recipe(2, 1.0, "mean")
    )
    assert np.isfinite(found).all()


def test_cheap_features_with_one_hop_only_miss_what_the_neighbours_pool_themselves() -> None:
    """With P = 1 and a table of raw features the recursion is the exact formula."""
    whole, known, links = parted(1.0)
    recipe = Recipe(1, 2.0, "mean")
    degrees = np.diff(known.adjacency.indptr)
    exact = exact_features(
        known.adjacency, known.features, whole.features[N - NEW :], links, recipe
    )

    found = cheap_features(degrees, known.features, whole.features[N - NEW :], links, recipe)

    np.testing.assert_allclose(found, exact, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_cheap_features_come_nearer_than_raw_ones(pooling: str) -> None:
    whole, known, links = parted(0.3)
    recipe, table = Recipe(2, 2.0, pooling), Propagation(2, 2.0, pooling)
    new = whole.features[N - NEW :]
    stored = table.features(known.adjacency, known.features).dense()
    exact = exact_features(known.adjacency, known.features, new, links, recipe)

    cheap = cheap_features(np.diff(known.adjacency.indptr), stored, new, links, recipe)

    def distance(x: object) -> float:
        return float(np.linalg.norm(dense(x) - exact) / np.linalg.norm(exact))

    assert 0.001 < distance(cheap) < 0.7 * distance(new)


def test_a_node_without_neighbours_keeps_its_features() -> None:
    whole, known, _ = parted(1.0)
    alone, new = Links.of(np.empty((0, 2)), N - NEW, 2), whole.features[N - 2 :]
    recipe = Recipe(3, 2.0, "mean")
    degrees = np.diff(known.adjacency.indptr)

    exact = exact_features(known.adjacency, known.features, new, alone, recipe)
    cheap = cheap_features(degrees, known.features, new, alone, recipe)

    np.testing.assert_allclose(exact, new, atol=1e-6)
    np.testing.assert_allclose(cheap, new, atol=1e-6)


def test_links_drop_loops_and_repeated_edges_and_count_both_ways() -> None:
    pairs = [(10, 3), (3, 10), (10, 3), (10, 10), (11, 10), (11, 0)]
    links = Links.of(pairs, 10, 2)

    assert links.known.toarray().nonzero()[1].tolist() == [3, 0]
    assert links.new.toarray().tolist() == [[0, 1], [1, 0]]
    assert links.degrees.tolist() == [2, 2]
    assert links.added.tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("density", [1.0, 0.3])
def test_rows_are_normalised_as_in_training(density: float) -> None:
    x = dense(random_features(9, 4, density=density)).astype(np.float32)
    x[2] = 0
    x = sp.csr_array(x) if density < 1 else x
    np.testing.assert_array_equal(dense(row_normalized(x)), dense(of_training(x)))
    assert dense(row_normalized(x)).sum(1)[2] == 0


@pytest.mark.slow
def test_the_file_runs_on_its_own() -> None:
    blocked = (
        "import sys; sys.modules['gkd_runner'] = None; import runpy; runpy.run_path(sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", blocked, new_nodes.__file__], check=False)
    assert done.returncode == 0
