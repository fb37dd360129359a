"""The same graph from every source is the same graph."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from gkd_runner.common.dgl_library import import_dgl
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import GraphData
from gkd_runner.data.importing.load import load_graph
from gkd_runner.data.npz import load_npz, save_npz
from gkd_runner.options.schema import DatasetConfig
from tests.data.importing import graphs
from tests.support import config


def from_csv(folder: Path) -> GraphData:
    edges, nodes = graphs.write_csv(folder)
    return load_graph(str(edges), nodes=str(nodes))


def from_long_csv(folder: Path) -> GraphData:
    edges, _ = graphs.write_csv(folder)
    words = graphs.node_frame().melt(["id", "label"], var_name="feature", value_name="value")
    words["feature"] = words["feature"].str.removeprefix("word ")
    words.drop(columns="label").query("value != 0").to_csv(folder / "words.csv", index=False)
    graphs.node_frame()[["id", "label"]].to_csv(folder / "labels.tsv", sep="\t", index=False)
    return load_graph(edges, nodes=folder / "labels.tsv", features=folder / "words.csv")


def from_parquet(folder: Path) -> GraphData:
    graphs.edge_frame().to_parquet(folder / "edges.parquet")
    graphs.node_frame().set_index("id").to_parquet(folder / "nodes.parquet")
    return load_graph(folder / "edges.parquet", nodes=folder / "nodes.parquet")


def from_frames(_: Path) -> GraphData:
    return load_graph(graphs.edge_frame(), nodes=graphs.node_frame())


def from_npz(folder: Path) -> GraphData:
    np.savez(folder / "g.npz", **graphs.arrays())
    return load_graph(folder / "g.npz")


def from_own_npz(folder: Path) -> GraphData:
    save_npz(graphs.truth(), folder / "g.npz")
    return load_graph(folder / "g.npz")


def from_dgl_file(folder: Path) -> GraphData:
    import_dgl().save_graphs(str(folder / "g.bin"), [graphs.dgl_graph()])
    return load_graph(folder / "g.bin")


def from_dense_arrays(_: Path) -> GraphData:
    graph = graphs.truth()
    return load_graph(graph.adjacency.toarray(), features=graph.features, labels=graph.labels)


def from_text_labels(_: Path) -> GraphData:
    named = {"node_ids": graphs.IDS, "y": graphs.CLASSES[graphs.truth().labels]}
    return load_graph(graphs.arrays() | named)


def from_scipy(_: Path) -> GraphData:
    graph = graphs.truth()
    return load_graph(
        sp.coo_matrix(graph.adjacency), features=graph.features, labels=graph.labels.tolist()
    )


NAMED: list[Callable[[Path], GraphData]] = [
    from_csv,
    from_long_csv,
    from_parquet,
    from_frames,
    from_text_labels,
    lambda _: load_graph(graphs.networkx_graph()),
    lambda _: load_graph(graphs.networkx_graph().to_directed()),
]
NUMBERED: list[Callable[[Path], GraphData]] = [
    from_npz,
    from_own_npz,
    from_dgl_file,
    from_dense_arrays,
    from_scipy,
    lambda _: load_graph(graphs.pyg_like()),
    lambda _: load_graph(graphs.dgl_graph()),
]


@pytest.mark.parametrize("source", [*NAMED, *NUMBERED])
def test_every_source_gives_one_fingerprint(
    tmp_path: Path, source: Callable[[Path], GraphData], caplog: pytest.LogCaptureFixture
) -> None:
    assert source(tmp_path).fingerprint == graphs.truth().fingerprint
    assert caplog.records == []


@pytest.mark.parametrize("source", NAMED)
def test_ids_and_class_names_survive_to_the_file_and_back(
    tmp_path: Path, source: Callable[[Path], GraphData]
) -> None:
    save_npz(source(tmp_path), tmp_path / "out.npz")
    graph = load_npz(tmp_path / "out.npz", "out")
    assert graph.ids.tolist() == graphs.IDS.tolist()
    assert graph.classes == tuple(graphs.CLASSES)


@pytest.mark.parametrize("source", NUMBERED)
def test_numbered_nodes_and_classes_store_no_names(
    tmp_path: Path, source: Callable[[Path], GraphData]
) -> None:
    graph = source(tmp_path)
    assert graph.node_ids is None
    assert graph.class_names == ()


def messy(rng: np.random.Generator) -> tuple[Any, int, int]:
    """The edges in any order and direction, some repeated, with self-loops; and their numbers."""
    edges = graphs.edges_once()
    repeated, loops = edges[rng.integers(len(edges), size=5)], rng.integers(graphs.NODES, size=4)
    turned = np.where(rng.random((len(edges), 1)) < 0.5, edges, edges[:, ::-1])
    again = turned[np.flatnonzero((edges[:, None] == repeated).all(2).any(1))]
    return rng.permutation([*turned, *again, *np.stack([loops, loops], 1)]), len(again), len(loops)


@pytest.mark.parametrize("seed", range(5))
def test_order_direction_repetition_and_loops_of_edges_change_nothing_and_are_told(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    edges, repeated, loops = messy(np.random.default_rng(seed))
    graph = load_graph(graphs.arrays() | {"edge_index": edges.T})
    assert graph.fingerprint == graphs.truth().fingerprint
    assert f"mended {repeated} edges listed again" in caplog.text
    assert f"dropped {loops} self-loops" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_numbered_nodes_may_stand_in_any_order(tmp_path: Path, seed: int) -> None:
    edges, nodes = graphs.edge_frame(), graphs.node_frame().sample(frac=1, random_state=seed)
    nodes["id"] = nodes["id"].str.removeprefix("paper-").astype(int)
    for end in edges:
        edges[end] = edges[end].str.removeprefix("paper-").astype(int)
    edges.sample(frac=1, random_state=seed).to_csv(tmp_path / "edges.csv", index=False)
    nodes.to_csv(tmp_path / "nodes.csv", index=False)
    graph = load_graph(tmp_path / "edges.csv", nodes=tmp_path / "nodes.csv")
    assert graph.fingerprint == graphs.truth().fingerprint
    assert graph.node_ids is None


def test_named_nodes_stand_as_the_table_lists_them() -> None:
    shuffled = graphs.node_frame().sample(frac=1, random_state=0, ignore_index=True)
    graph = load_graph(graphs.edge_frame(), nodes=shuffled)
    assert graph.ids.tolist() == shuffled["id"].tolist()
    places = [graphs.IDS.tolist().index(name) for name in graph.ids]
    assert graph.fingerprint == graphs.truth().subgraph(np.array(places)).fingerprint


def test_a_mix_of_one_and_two_directions_is_told(caplog: pytest.LogCaptureFixture) -> None:
    edges = graphs.edges_once()
    load_graph(graphs.arrays() | {"edge_index": np.concatenate([edges, edges[:7, ::-1]]).T})
    assert f"7 edges are listed in both and {len(edges) - 7} in one" in caplog.text


def test_weights_are_dropped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    graph = graphs.truth()
    halved = graph.adjacency / 2
    halved.data[0] = 1.0
    loaded = load_graph(halved, features=graph.features, labels=graph.labels)
    assert loaded.fingerprint == graph.fingerprint
    assert f"dropped {graph.num_edges - 1} edge weights" in caplog.text.replace(",", "")
    weighted = graphs.edge_frame().assign(weight=3)
    caplog.clear()
    assert load_graph(weighted, nodes=graphs.node_frame()).fingerprint == graph.fingerprint
    assert f"dropped {len(weighted)} edge weights" in caplog.text


def test_features_are_stored_in_the_smaller_way() -> None:
    labels = np.arange(graphs.NODES) % 3
    edges = graphs.edges_once()
    features = np.ones((graphs.NODES, 4))
    features[:, :2] = 0
    for matrix, dense in ((features, True), (sp.csr_array(features), True)):
        graph = load_graph({"edges": edges, "x": matrix, "y": labels})
        assert isinstance(graph.features, np.ndarray) is dense
    features[0, 3] = 0
    stored = sp.csr_array(np.ones_like(features))
    stored.data[:] = features.ravel()  # with stored zeros
    for matrix in (features, stored):
        graph = load_graph({"edges": edges, "x": matrix, "y": labels})
        assert graph.features.nnz == 2 * graphs.NODES - 1


def test_minus_zero_is_zero() -> None:
    changed = graphs.arrays()
    plain = np.ones_like(changed["x"])
    plain[0, 0] = 0.0
    signed = plain.copy()
    signed[0, 0] = -0.0
    one, other = (load_graph(changed | {"x": matrix}) for matrix in (plain, signed))
    assert one.fingerprint == other.fingerprint


def test_a_dgl_file_and_another_layout_are_paths_of_datasets(tmp_path: Path) -> None:
    import_dgl().save_graphs(str(tmp_path / "g.bin"), [graphs.dgl_graph()])
    np.savez(tmp_path / "g.npz", **graphs.arrays())
    for name in ("g.bin", "g.npz"):
        dataset = DatasetConfig("mine", "custom", str(tmp_path / name), False, False)
        graph = load_dataset(dataset, config().protocol, tmp_path)
        assert (graph.name, graph.fingerprint) == ("mine", graphs.truth().fingerprint)


def test_the_name_is_that_of_the_file_or_of_its_folder(tmp_path: Path) -> None:
    assert from_csv(tmp_path).name == tmp_path.name
    np.savez(tmp_path / "webkb.npz", **graphs.arrays())
    assert load_graph(tmp_path / "webkb.npz").name == "webkb"
    assert load_graph(tmp_path / "webkb.npz", name="other").name == "other"
    assert load_graph(graphs.pyg_like()).name == "graph"
