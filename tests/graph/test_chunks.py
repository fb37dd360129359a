from __future__ import annotations

import pytest
import torch
from support import looped_batch, random_features, random_graph
from torch import Tensor

from gkd_runner.graph import chunks
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.chunks import EdgeChunk, edge_chunks, per_edge


def batch(replicas: int = 2) -> GraphBatch:
    return looped_batch(
        [random_graph(15, random_features(15, 3), seed=seed) for seed in range(replicas)]
    )


def at_most(monkeypatch: pytest.MonkeyPatch, values: int) -> None:
    """Let a chunk's tensors have at most so many values."""
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 4 * values)


@pytest.mark.parametrize("values", [1, 7, 20, 10**6])
@pytest.mark.parametrize("columns", [1, 3])
def test_chunks_are_all_edges_in_their_order(
    values: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = batch()
    at_most(monkeypatch, values)
    cut = edge_chunks(graph, columns)
    assert torch.equal(torch.cat([chunk.senders for chunk in cut]).long(), graph.senders)
    assert torch.equal(torch.cat([chunk.receivers for chunk in cut]), graph.receivers)
    degrees = torch.cat([chunk.offsets.diff() for chunk in cut])
    assert torch.equal(degrees, graph.offsets.diff())
    for chunk in cut:
        assert torch.equal(chunk.senders[chunk.loops], chunk.receivers[chunk.loops].int())
        fits = len(chunk.senders) * columns <= values
        assert fits or len(chunk.loops) == 1  # a single node with more edges


def test_chunks_are_as_large_as_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = batch()
    at_most(monkeypatch, 20)
    cut = edge_chunks(graph)
    for chunk in cut[:-1]:
        next_node = graph.offsets[chunk.nodes.stop + 1] - graph.offsets[chunk.nodes.stop]
        assert len(chunk.senders) + next_node > 20
    at_most(monkeypatch, graph.num_edges)
    assert len(edge_chunks(graph)) == 1


@pytest.mark.parametrize("values", [1, 20, 10**6])
def test_sums_over_the_edges_of_a_node_lie_within_one_chunk(
    values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = batch()
    at_most(monkeypatch, values)
    edge_values = torch.randn(graph.num_edges, generator=torch.Generator().manual_seed(0))
    found = torch.cat([chunk.sums(edge_values[chunk.edges]) for chunk in edge_chunks(graph)])
    expected = torch.zeros(len(graph.degrees)).index_add(0, graph.receivers, edge_values)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("values", [1, 20, 10**6])
def test_values_per_edge_are_those_of_the_chunks_end_to_end(
    values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def difference(chunk: EdgeChunk) -> Tensor:
        return (chunk.senders - chunk.receivers).float()

    graph = batch()
    at_most(monkeypatch, values)
    found = per_edge(edge_chunks(graph), difference)
    assert torch.equal(found, (graph.senders - graph.receivers).float())
