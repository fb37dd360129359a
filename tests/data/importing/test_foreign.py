from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gkd_runner.common.errors import DataError
from gkd_runner.data.importing.load import load_graph
from gkd_runner.data.npz import load_npz
from tests.data.importing import graphs
from tests.data.importing.graphs import NODES

FOREIGN = Path(os.environ.get("GKD_DATA", "data")) / "foreign"
needs_foreign = pytest.mark.skipif(not FOREIGN.is_dir(), reason="no folder foreign in GKD_DATA")


@needs_foreign
@pytest.mark.parametrize(
    ("name", "nodes", "edges", "classes", "columns"),
    [
        ("wisconsin", 251, 450, 5, 1703),
        ("cornell", 183, 277, 5, 1703),
        ("tolokers", 11758, 519000, 2, 10),
        ("minesweeper", 10000, 39402, 2, 7),
    ],
)
def test_files_of_the_heterophily_suite_are_read_whole(
    name: str, nodes: int, edges: int, classes: int, columns: int
) -> None:
    graph, stored = load_npz(FOREIGN / f"{name}.npz", name), np.load(FOREIGN / f"{name}.npz")
    assert (graph.num_nodes, graph.num_edges) == (nodes, 2 * edges)
    assert (graph.num_classes, graph.num_features) == (classes, columns)
    assert graph.labels.tolist() == stored["node_labels"].tolist()
    assert all(graph.adjacency[a, b] == graph.adjacency[b, a] == 1 for a, b in stored["edges"][:50])
    for part in ("train", "val", "test"):
        expected = [np.flatnonzero(mask).tolist() for mask in stored[f"{part}_masks"]]
        assert [getattr(split, part).tolist() for split in graph.splits] == expected


@needs_foreign
def test_both_layouts_of_the_twitch_graph_give_one_fingerprint() -> None:
    twitch, musae = FOREIGN / "twitch", FOREIGN / "musae-engb"
    one = load_graph(
        twitch / "edges.csv", nodes=twitch / "target.csv", features=twitch / "features.csv"
    )
    other = load_graph(
        musae / "edges.csv", nodes=musae / "target.csv", features=musae / "features.json"
    )
    assert (one.num_nodes, one.num_edges // 2) == (7126, 35324)
    order = np.argsort(other.ids)[np.argsort(np.argsort(one.ids))]
    assert other.subgraph(order).fingerprint == one.fingerprint
    assert other.classes == ("False", "True")


def test_two_layouts_of_a_generated_graph_give_one_fingerprint(tmp_path: Path) -> None:
    """The twin of the test above, with a file in each of its layouts."""
    graph, edges = graphs.truth(), graphs.edges_once()
    labels, (rows, columns) = graph.labels % 2, graph.features.nonzero()
    lines = [f"{a},{b}" for a, b in edges]
    (tmp_path / "edges.csv").write_text("\n".join(["id_1,id_2", *lines]))
    (tmp_path / "musae.csv").write_text("\n".join(["from,to", *lines[::-1]]))
    target = [f"{node},{label}" for node, label in enumerate(labels)]
    (tmp_path / "target.csv").write_text("\n".join(["id,target", *target]))
    order = np.random.default_rng(0).permutation(NODES)
    mature = [f"{10**6 + 7 * n},{n * 3},{bool(labels[n])},{n}" for n in order]
    (tmp_path / "mature.csv").write_text("\n".join(["id,days,mature,new_id", *mature]))
    words = [f"{n},{c},1.0" for n, c in zip(rows, columns, strict=True)]
    (tmp_path / "f.csv").write_text("\n".join(["node_id,feature_id,value", *words]))
    listed = ", ".join(f'"{n}": {columns[rows == n].tolist()}' for n in order)
    (tmp_path / "f.json").write_text(f"{{{listed}}}")
    one = load_graph(
        tmp_path / "edges.csv", nodes=tmp_path / "target.csv", features=tmp_path / "f.csv"
    )
    other = load_graph(
        tmp_path / "musae.csv", nodes=tmp_path / "mature.csv", features=tmp_path / "f.json"
    )
    assert one.fingerprint == other.fingerprint
    assert one.labels.tolist() == labels.tolist()


@needs_foreign
def test_the_published_acm_file_is_refused_with_how_to_convert_it() -> None:
    with pytest.raises(DataError, match="adj_matrix, node_attr hold Python objects") as told:
        load_npz(FOREIGN / "acm.npz", "acm")
    assert "allow_pickle=True" in str(told.value)
