"""Views of some nodes: a teacher answers them as it would in a pass over the whole graph."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from support import CPU, as_dense_features, config

from gkd_runner.data.synthetic import synthetic
from gkd_runner.graph.field import receptive_field
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.streams import Streams

TEACHERS = ["gcn", "sage", "gat"]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_field_holds_the_nodes_within_so_many_steps(layers: int) -> None:
    graph = nx.gnp_random_graph(60, 0.03, seed=1)
    field = receptive_field(sp.csr_array(nx.to_numpy_array(graph)), np.array([5, 3]), layers)
    assert field.rows[-1].tolist() == [5, 3]
    for k, rows in enumerate(field.rows[:-1]):
        reach = (nx.single_source_shortest_path_length(graph, n, layers - k) for n in (3, 5))
        assert rows.tolist() == sorted(set().union(*reach))


@pytest.mark.parametrize("stored", ["sparse", "dense"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("teacher", TEACHERS)
def test_nodes_are_answered_as_in_a_pass_over_the_whole_graph(
    teacher: str, layers: int, stored: str
) -> None:
    graphs = [synthetic(50, classes=3, features=40, mean_degree=2, seed=seed) for seed in (0, 1)]
    graphs = [as_dense_features(graph) for graph in graphs] if stored == "dense" else graphs
    overrides = (f"teacher={teacher}", f"teacher.num_layers={layers}", "teacher.hidden_dim=8")
    settings = config(*overrides).teacher
    model = build_teacher(settings, 40, 3, Initializer([0, 1], "teacher initialisation"))
    nodes = [np.array([4, 30, 11]), np.array([2, 1, 49])]
    rows = torch.from_numpy(np.stack(nodes)).unsqueeze(2).expand(-1, -1, 3)
    whole = model(model.view(graphs, CPU)).gather(1, rows)
    some = model(model.view(graphs, CPU, nodes))
    torch.testing.assert_close(some, whole, atol=1e-5, rtol=1e-5)
    upstream = torch.randn(whole.shape, generator=torch.Generator().manual_seed(0))
    parameters = list(model.parameters())
    ours, theirs = (
        torch.autograd.grad((logits * upstream).sum(), parameters) for logits in (some, whole)
    )
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("teacher", TEACHERS)
def test_a_view_reads_no_node_outside_the_field(teacher: str) -> None:
    graph = synthetic(200, classes=3, features=40, mean_degree=2, seed=3)
    settings = config(f"teacher={teacher}", "teacher.num_layers=2", "teacher.hidden_dim=8").teacher
    model = build_teacher(settings, 40, 3, Initializer([0], "teacher initialisation"))
    nodes = np.array([17])
    read = receptive_field(graph.adjacency, nodes, 2).rows[0]
    assert len(read) < 100
    others = np.setdiff1d(np.arange(200), read)
    changed = as_dense_features(graph)
    changed.features[others] = np.nan
    assert torch.isfinite(model(model.view([changed], CPU, [nodes]))).all()


@pytest.mark.parametrize("features", ["sparse", "dense"])
@pytest.mark.parametrize("teacher", TEACHERS)
def test_dropout_of_a_replica_does_not_depend_on_the_size_of_other_fields(
    teacher: str, features: str
) -> None:
    graph = synthetic(200, classes=3, features=40, mean_degree=3, seed=3)
    graph = as_dense_features(graph) if features == "dense" else graph
    settings = config(f"teacher={teacher}", "teacher.num_layers=3", "teacher.hidden_dim=8").teacher
    nodes = [np.array([4, 30, 11]), np.array([2, 1, 49])]
    fields = [receptive_field(graph.adjacency, ids, 3).rows for ids in nodes]
    assert all(len(a) != len(b) for a, b in zip(fields[0][:-1], fields[1][:-1], strict=True))

    def answered(seeds: list[int]) -> torch.Tensor:
        model = build_teacher(settings, 40, 3, Initializer(seeds, "teacher initialisation"))
        view = model.view([graph] * len(seeds), CPU, [nodes[seed] for seed in seeds])
        streams = Streams(seeds, "teacher dropout", CPU)
        return torch.stack([model(view, streams) for _ in range(2)])

    together = answered([0, 1])
    for seed in (0, 1):
        alone = answered([seed])[:, 0]
        torch.testing.assert_close(alone, together[:, seed], atol=1e-5, rtol=1e-5)
