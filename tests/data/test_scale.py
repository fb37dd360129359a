"""Features far from 1: what can be computed is exact, and the rest is refused by name."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from support import config, dense, random_features, random_graph

from gkd_runner.common.errors import DataError
from gkd_runner.data.checks import FEATURE_SCALE
from gkd_runner.data.datasets import row_normalized, treated
from gkd_runner.data.graph import GraphData
from gkd_runner.data.importing.load import load_graph
from gkd_runner.data.npz import load_npz, save_npz
from gkd_runner.graph.influence import node_influence

SCALES = [2.0**100, 2.0**-100, 2.0**-126, 1e30, 1e-38]
FORMS = [1.0, 0.3]


def graph(density: float = 1.0, **options: Any) -> GraphData:
    return random_graph(30, random_features(30, 8, density=density, **options))


def scaled(one: GraphData, factor: float) -> GraphData:
    """The graph with features times ``factor``, rounded once to float32."""
    if sp.issparse(one.features):
        data = (one.features.data * factor).astype(np.float32)
        parts = data, one.features.indices, one.features.indptr
        return replace(one, features=sp.csr_array(parts, shape=one.features.shape))
    return replace(one, features=(one.features.astype(np.float64) * factor).astype(np.float32))


@pytest.mark.parametrize("density", FORMS)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("factor", SCALES)
def test_influence_does_not_depend_on_the_scale_of_features(
    factor: float, signed: bool, density: float
) -> None:
    usual = graph(density, signed=signed)
    found, expected = (node_influence(one, 2.0) for one in (scaled(usual, factor), usual))

    assert expected.scores.min() < 0.95
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    assert found.smallest_cosine == pytest.approx(expected.smallest_cosine, abs=1e-5)


@pytest.mark.parametrize("density", FORMS)
def test_influence_is_finite_where_rows_differ_in_scale(density: float) -> None:
    usual = graph(density)
    factors = np.logspace(-37, 37, 30)[:, None]
    wild = replace(usual, features=(dense(usual.features) * factors).astype(np.float32))
    if density < 1:
        wild = replace(wild, features=sp.csr_array(wild.features))
    found = node_influence(wild, 2.0)
    assert np.isfinite(found.scores).all()
    assert found.scores.min() < 1


@pytest.mark.parametrize("density", FORMS)
@pytest.mark.parametrize("factor", [1e30, 3e38, 1e-38, 1e-40])
def test_normalised_rows_sum_to_one_at_any_scale(factor: float, density: float) -> None:
    usual = graph(density)
    wild = scaled(usual, factor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = row_normalized(wild.features)

    exact = dense(wild.features)
    sums = exact.sum(1, keepdims=True)
    expected = np.divide(exact, sums, out=np.zeros_like(exact), where=sums > 0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(dense(found), expected, rtol=1e-6)


def refused(one: GraphData, *overrides: str) -> str:
    settings = config("dataset=custom", "dataset.path=unread.npz", *overrides)
    with pytest.raises(DataError) as caught:
        treated(one, settings.dataset, settings.protocol)
    return str(caught.value)


@pytest.mark.parametrize("density", FORMS)
def test_features_that_training_cannot_use_are_refused_by_name_and_node(density: float) -> None:
    usual = graph(density)
    large = dense(usual.features).astype(np.float32)
    large[7, 2] = -1e30
    wild = replace(usual, features=large if density == 1 else sp.csr_array(large))
    text = refused(wild)
    assert "features reach 1e+30, that of node 7 first" in text
    assert "dataset.row_normalize=true" in text
    assert "the largest feature is" in refused(scaled(usual, 1e-30))

    settings = config("dataset=custom", "dataset.path=x.npz", "dataset.row_normalize=true")
    for factor in (1e30, 1e-38):
        mended = treated(scaled(usual, factor), settings.dataset, settings.protocol)
        assert abs(dense(mended.features)).max() <= 1


def test_features_at_the_limits_and_of_zeros_pass() -> None:
    settings = config("dataset=custom", "dataset.path=unread.npz")
    usual = random_graph(30, np.ones((30, 8), dtype=np.float32))
    for factor in (*FEATURE_SCALE, 0.0):
        treated(scaled(usual, float(np.float32(factor))), settings.dataset, settings.protocol)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused_wherever_they_stand(
    value: float, tmp_path: Path
) -> None:
    usual = graph()
    save_npz(usual, tmp_path / "usual.npz")
    with np.load(tmp_path / "usual.npz") as file:
        arrays = dict(file)
    edges = np.ones(len(arrays["adj_indices"]), dtype=np.float32)
    edges[3] = value
    features = arrays["attr_matrix"].copy()
    features[1, 1] = value
    labels = arrays["labels"].astype(np.float64)
    labels[2] = value
    for name, array, said in (
        ("adj_data", edges, "adj_data holds 1 values that are NaN or infinite"),
        ("attr_matrix", features, "features hold 1 values that are NaN or infinite"),
        ("labels", labels, "labels must be integers"),
    ):
        np.savez(tmp_path / "broken.npz", **{**arrays, name: array})
        with pytest.raises(DataError, match=said):
            load_npz(tmp_path / "broken.npz", "broken")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_imported_edges_that_are_no_numbers_are_refused(value: float) -> None:
    usual = graph()
    matrix = dense(usual.adjacency)
    matrix[0, 1] = matrix[1, 0] = value
    pairs = np.argwhere(usual.adjacency.toarray()).astype(np.float64)
    pairs[0, 0] = value
    rest = {"features": usual.features, "labels": usual.labels}
    for edges, said in (
        ({"adjacency": matrix}, "2 entries of the adjacency matrix are NaN or infinite"),
        ({"edges": pairs}, "a list of edges is"),
    ):
        with pytest.raises(DataError, match=said):
            load_graph({**edges, **rest})
