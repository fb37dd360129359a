from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from gkd_runner.common.errors import DataError
from gkd_runner.data.importing.load import import_graph, load_graph
from gkd_runner.data.npz import load_npz, save_npz
from tests.data.importing import graphs
from tests.data.importing.graphs import NODES


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        ([0, 2, -1, 2], ("0", "2"), [0, 1, -1, 1]),
        ([1.0, 2.0, np.nan, 1.0], ("1", "2"), [0, 1, -1, 0]),
        ([True, False, True, True], ("False", "True"), [1, 0, 1, 1]),
        (["b", "a", "", "b"], ("a", "b"), [1, 0, -1, 1]),
        (["10", "9", "nan", "9"], ("9", "10"), [1, 0, -1, 0]),
        ([[0], [1], [0], [1]], ("0", "1"), [0, 1, 0, 1]),
        ([[1, 0], [0, 1], [1, 0], [1, 0]], ("0", "1"), [0, 1, 0, 0]),
    ],
)
def test_labels_become_classes(labels: Any, classes: tuple[str, ...], codes: list[int]) -> None:
    edges = np.array([[0, 1], [1, 2], [2, 3]])
    graph = load_graph({"edges": edges, "x": np.eye(4), "y": np.array(labels)})
    assert graph.labels.tolist() == codes
    assert graph.classes == classes


def test_names_given_with_integer_labels_are_kept() -> None:
    arrays = graphs.arrays() | {"class_names": graphs.CLASSES}
    assert load_graph(arrays).class_names == tuple(graphs.CLASSES)
    with pytest.raises(DataError, match="2 class names, but the labels go from 0 to 2"):
        load_graph(arrays | {"class_names": graphs.CLASSES[:2]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edge_index": None}, "no edges; they are looked for as edges, edge_index.*found: x, y"),
        ({"y": None}, "no labels; they are looked for as labels, node_labels"),
        ({"features": np.eye(NODES)}, "features and x both stand for the features; keep one"),
        ({"edge_index": np.array([[0], [NODES]])}, rf"ends at node {NODES}.* 0 to {NODES - 1}"),
        ({"edge_index": np.array([[0.5], [1]])}, r"malformed edges \(edge_index\).*float64"),
        (
            {"edge_index": np.ones((3, 4), int)},
            r"\[m, 2\] or \[2, m\] integers, got",
        ),
        ({"x": np.eye(3)}, rf"features have shape \(3, 3\), but there are {NODES} labels"),
        ({"x": np.array(["a"] * NODES)[:, None]}, r"malformed features \(x\): a matrix of numbers"),
        ({"y": np.ones((NODES, 2))}, r"the labels are \[n, 2\], and some node has no class or"),
        ({"node_ids": np.arange(3)}, rf"node_ids must be {NODES} integers or texts"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    arrays = {k: v for k, v in (graphs.arrays() | changes).items() if v is not None}
    with pytest.raises(DataError, match=message):
        load_graph(arrays)


def test_unknown_arrays_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.savez(tmp_path / "g.npz", **graphs.arrays(), year=np.arange(NODES))
    load_npz(tmp_path / "g.npz", "g")
    assert "g.npz: ignored year" in caplog.text
    caplog.clear()
    save_npz(graphs.truth(), tmp_path / "own.npz")
    stored = dict(np.load(tmp_path / "own.npz"))
    weights = np.full(graphs.truth().num_edges, 0.5)
    np.savez(tmp_path / "own.npz", **stored, adj_data=weights, stopping_mask=np.arange(3))
    assert load_npz(tmp_path / "own.npz", "g").fingerprint == graphs.truth().fingerprint
    assert f"dropped {len(weights)} edge weights" in caplog.text
    assert "ignored stopping_mask" in caplog.text
    caplog.clear()
    np.savez(tmp_path / "own.npz", **stored, x=np.eye(3), edge_weight=weights)
    load_npz(tmp_path / "own.npz", "g")
    assert "ignored x, edge_weight" in caplog.text
    caplog.clear()
    np.savez(tmp_path / "own.npz", **stored, class_names=np.array(["a", {}], dtype=object))
    assert load_npz(tmp_path / "own.npz", "g").class_names == ()
    assert "ignored class_names" in caplog.text
    caplog.clear()
    published = {"node_names": np.array([{}, "b"], dtype=object), "attr_names": np.arange(2)}
    np.savez(tmp_path / "own.npz", **stored, **published)
    load_npz(tmp_path / "own.npz", "g")
    assert caplog.records == []


def pickled_layout(path: Path) -> None:
    """``acm.npz`` as GraphData stores it: sparse matrices as pickled objects of no dimension."""
    graph = graphs.truth()
    np.savez(
        path,
        adj_matrix=np.array(sp.csr_matrix(graph.adjacency), dtype=object),
        node_attr=np.array(sp.csr_matrix(graph.features), dtype=object),
        node_label=graph.labels,
    )


@pytest.mark.parametrize("reader", [load_graph, lambda path: load_npz(path, "acm")])
def test_pickled_matrices_are_refused_with_a_conversion_that_works(
    tmp_path: Path, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled_layout(tmp_path / "acm.npz")
    with pytest.raises(DataError, match="arrays adj_matrix, node_attr hold Python objects") as told:
        reader(tmp_path / "acm.npz")
    snippet = re.findall(r"^  (.*)$", str(told.value), flags=re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    exec("\n".join(snippet), {})
    assert load_npz(tmp_path / "acm-converted.npz", "acm").fingerprint == (
        graphs.truth().fingerprint
    )


def test_what_torch_saved_is_refused_with_a_conversion_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(graphs.pyg_like(), tmp_path / "data.pt")
    with pytest.raises(DataError, match="a pickle of Python objects") as told:
        load_graph(tmp_path / "data.pt")
    snippet = re.findall(r"^  (.*)$", str(told.value), flags=re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    exec("\n".join(snippet), {})
    assert load_npz(tmp_path / "data-converted.npz", "d").fingerprint == graphs.truth().fingerprint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("edges.csv", r"is a table; gkd-import .*edges\.csv --nodes nodes\.csv"),
        ("graph.graphml", r"load_graph\(networkx\.read_graphml\("),
        ("acm.mat", r"scipy\.io\.loadmat"),
        ("data.pkl", "a pickle of Python objects"),
    ],
)
def test_a_path_of_another_kind_of_file_says_how_to_go_on(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / name).write_text("from,to\na,b\n")
    with pytest.raises(DataError, match=message):
        load_npz(tmp_path / name, "g")


def test_a_single_scipy_matrix_says_what_is_missing(tmp_path: Path) -> None:
    sp.save_npz(tmp_path / "a.npz", graphs.truth().adjacency)
    with pytest.raises(DataError, match="a single SciPy matrix, without labels"):
        load_graph(tmp_path / "a.npz")


def test_our_own_layout_keeps_its_features_dense_or_sparse(tmp_path: Path) -> None:
    graph = replace(graphs.truth(), features=graphs.truth().features.toarray())
    save_npz(graph, tmp_path / "dense.npz")
    assert load_graph(tmp_path / "dense.npz").fingerprint == graph.fingerprint
    assert load_npz(tmp_path / "dense.npz", "dense").fingerprint == graph.fingerprint


def test_our_own_layout_is_mended_on_importing(tmp_path: Path) -> None:
    graph = graphs.truth()
    one_way = sp.triu(graph.adjacency).tocsr()
    save_npz(graphs.truth(), tmp_path / "g.npz")
    stored = dict(np.load(tmp_path / "g.npz"))
    stored |= {"adj_indices": one_way.indices, "adj_indptr": one_way.indptr}
    np.savez(tmp_path / "g.npz", **stored)
    with pytest.raises(DataError, match="edges lack their reverse"):
        load_npz(tmp_path / "g.npz", "g")
    imported = import_graph(tmp_path / "g.npz")
    assert imported.graph.fingerprint == graph.fingerprint
    assert imported.findings.one_way == graph.num_edges // 2
