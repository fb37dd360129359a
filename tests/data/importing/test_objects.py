from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
import torch

from gkd_runner.common.dgl_library import import_dgl
from gkd_runner.common.errors import DataError
from gkd_runner.data.importing.load import load_graph
from tests.data.importing import graphs
from tests.data.importing.graphs import NODES, masks, parts_of

EXPECTED = [
    [np.flatnonzero(mask).tolist() for mask in split] for split in masks().transpose(1, 0, 2)
]


def test_all_of_a_pyg_object_is_used_or_told(caplog: pytest.LogCaptureFixture) -> None:
    data = graphs.pyg_like()
    for part, mask in zip(("train", "val", "test"), masks(), strict=True):
        setattr(data, f"{part}_mask", torch.from_numpy(mask.T))
    data.pos, data.edge_attr = torch.zeros(NODES, 2), torch.full((data.edge_index.shape[1], 1), 2.0)
    data.x, data.y = data.x.to_sparse(), data.y[:, None]
    data.num_nodes = NODES
    graph = load_graph(data)
    assert parts_of(graph) == EXPECTED
    assert "ignored pos" in caplog.text
    assert f"dropped {data.edge_index.shape[1]} edge weights" in caplog.text
    assert len(caplog.records) == 2


def test_all_of_a_dgl_graph_is_used_or_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph = graphs.dgl_graph()
    for part, mask in zip(("train", "val", "test"), masks(1)[:, 0], strict=True):
        graph.ndata[f"{part}_mask"] = torch.from_numpy(mask)
    graph.ndata["year"] = torch.arange(NODES)
    graph.edata["w"] = torch.full((graph.num_edges(),), 3.0)
    import_dgl().save_graphs(str(tmp_path / "g.bin"), [graph])
    for source in (graph, tmp_path / "g.bin"):
        caplog.clear()
        expected = [[np.flatnonzero(mask).tolist() for mask in masks(1)[:, 0]]]
        assert parts_of(load_graph(source)) == expected
        assert "ignored year" in caplog.text
        assert f"dropped {graph.num_edges()} edge weights" in caplog.text


def test_graphs_of_several_types_are_refused(tmp_path: Path) -> None:
    dgl = import_dgl()
    ends = (torch.tensor([0]), torch.tensor([1]))
    with pytest.raises(DataError, match=r"several types of nodes or edges; .*to_homogeneous"):
        load_graph(dgl.heterograph({("a", "likes", "b"): ends}))
    dgl.save_graphs(str(tmp_path / "two.bin"), [graphs.dgl_graph()] * 2)
    with pytest.raises(DataError, match=r"two\.bin: holds 2 graphs; save a single one"):
        load_graph(tmp_path / "two.bin")
    (tmp_path / "cut.bin").write_bytes((tmp_path / "two.bin").read_bytes()[:100])
    with pytest.raises(DataError, match=r"cut\.bin: DGL cannot read it"):
        load_graph(tmp_path / "cut.bin")
    with pytest.raises(DataError, match=r"several types of nodes; to_homogeneous\(\)"):
        load_graph(SimpleNamespace(node_types=["a", "b"], edge_types=[]))


def test_networkx_graphs_without_what_is_needed_are_refused() -> None:
    with pytest.raises(DataError, match="no column looks like the labels"):
        load_graph(nx.path_graph(3))
    with pytest.raises(DataError, match="no features"):
        load_graph(nx.karate_club_graph(), label_column="club")
    with pytest.raises(DataError, match="0 nodes and no edge"):
        load_graph(nx.Graph())
    both = nx.Graph([(1, "1")])
    with pytest.raises(DataError, match="only their type tells apart"):
        load_graph(both)


def test_other_objects_are_refused_with_what_is_known() -> None:
    with pytest.raises(DataError, match="a int is no graph that gkd-runner knows"):
        load_graph(3)


class Data:
    """A ``Data`` object with its edges as a transposed sparse tensor, as ``ToSparseTensor`` leaves
    them."""

    def __init__(self) -> None:
        self.adj_t = SimpleNamespace(to_scipy=lambda layout: graphs.truth().adjacency.T)
        self.x, self.y = graphs.pyg_like().x, graphs.pyg_like().y

    def keys(self) -> list[str]:
        return ["x", "y", "adj_t"]


def test_pyg_objects_may_hold_a_sparse_tensor() -> None:
    assert load_graph(Data()).fingerprint == graphs.truth().fingerprint
