from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from dgl_oracle import DglKernels
from support import CPU, dense, looped_batch, random_features, random_graph
from torch import Tensor

from gkd_runner.data.graph import GraphData
from gkd_runner.graph import kernels
from gkd_runner.graph.batch import GraphBatch, batch_blocks, batch_graphs
from gkd_runner.graph.operators import with_self_loops
from gkd_runner.graph.ops import edge_softmax, gather

if sys.version_info >= (3, 13):
    pytest.skip("DGL has no wheels for this Python", allow_module_level=True)


def graphs(replicas: int, nodes: int = 12) -> list[GraphData]:
    return [random_graph(nodes, random_features(nodes, 3), seed=seed) for seed in range(replicas)]


def drawn(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def edge_matrix(graph: GraphBatch, values: Tensor) -> Tensor:
    """``[N, N]`` with ``values[e]`` (``[E]``) at (receiver, sender)."""
    size = graph.replicas * graph.nodes
    return values.new_zeros(size, size).index_put((graph.receivers, graph.senders), values)


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_batch_is_the_block_diagonal_of_its_graphs_with_one_self_loop_per_node(
    replicas: int,
) -> None:
    members = graphs(replicas)
    batch = looped_batch(members)
    blocks = [torch.from_numpy(dense(g.adjacency) + np.eye(g.num_nodes)) for g in members]
    expected = torch.block_diag(*blocks)
    found = edge_matrix(batch, torch.ones(batch.num_edges, dtype=torch.float64))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(batch.degrees.double(), expected.sum(1))
    assert batch.num_edges == expected.sum()
    assert batch.edge_counts == tuple(int(block.sum()) for block in blocks)
    every_node = torch.arange(replicas * batch.nodes)
    assert torch.equal(batch.senders[batch.loops], every_node)
    assert torch.equal(batch.receivers[batch.loops], every_node)
    for node in range(replicas * batch.nodes):
        into = slice(batch.offsets[node], batch.offsets[node + 1])
        assert (batch.receivers[into] == node).all()


def test_graphs_of_different_sizes_do_not_go_into_one_batch() -> None:
    small, large = graphs(1, nodes=5)[0], graphs(1, nodes=6)[0]
    with pytest.raises(ValueError, match=r"equally many nodes, got \[5, 6\]"):
        looped_batch([small, large])


@pytest.mark.parametrize("heads", [1, 3])
def test_the_transposed_product_equals_that_of_the_transposed_matrix(heads: int) -> None:
    members = graphs(2)
    blocks = [sp.csr_array(with_self_loops(g.adjacency)[2:9]) for g in members]
    batch = batch_blocks(blocks, [np.arange(2, 9)] * 2, CPU)
    values, x = drawn(batch.num_edges, heads), drawn(14, heads, 4, seed=1)
    found = kernels.transposed_spmm(batch, values, x)
    for head in range(heads):
        matrix = torch.zeros(14, 2 * members[0].num_nodes)
        matrix[batch.receivers, batch.senders] = values[:, head]
        torch.testing.assert_close(found[:, head], matrix.T @ x[:, head])


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("replicas", [1, 2])
def test_spmm_is_a_matrix_product_per_head(replicas: int, heads: int) -> None:
    batch = looped_batch(graphs(replicas))
    values, x = drawn(batch.num_edges, heads), drawn(replicas * batch.nodes, heads, 5, seed=1)
    expected = [edge_matrix(batch, values[:, head]) @ x[:, head] for head in range(heads)]
    torch.testing.assert_close(kernels.spmm(batch, values, x), torch.stack(expected, dim=1))


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("replicas", [1, 2])
def test_sddmm_is_a_sampled_matrix_product_per_head(replicas: int, heads: int) -> None:
    batch = looped_batch(graphs(replicas))
    receiver, sender = (drawn(replicas * batch.nodes, heads, 5, seed=seed) for seed in (1, 2))
    expected = torch.stack(
        [
            (receiver[:, head] @ sender[:, head].T)[batch.receivers, batch.senders]
            for head in range(heads)
        ],
        dim=1,
    )
    torch.testing.assert_close(kernels.sddmm(batch, receiver, sender), expected)


@pytest.mark.parametrize("heads", [1, 4])
def test_dgl_and_torch_kernels_agree_on_a_larger_graph(heads: int) -> None:
    batch = looped_batch(graphs(2, nodes=200))
    values, x = drawn(batch.num_edges, heads), drawn(400, heads, 16, seed=1)
    y = drawn(400, heads, 16, seed=2)
    theirs = DglKernels(batch)
    torch.testing.assert_close(kernels.spmm(batch, values, x), theirs.spmm(batch, values, x))
    torch.testing.assert_close(kernels.sddmm(batch, x, y), theirs.sddmm(batch, x, y))


def test_gradients_of_gather_are_right() -> None:
    batch = looped_batch(graphs(2, nodes=5))
    values = drawn(batch.num_edges, 2, dtype=torch.float64).requires_grad_()
    x = drawn(10, 2, 3, dtype=torch.float64, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, z: gather(batch, v, z), (values, x))


def test_gradients_of_edge_softmax_are_right() -> None:
    batch = looped_batch(graphs(2, nodes=5))
    scores = drawn(batch.num_edges, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: edge_softmax(batch, s), (scores,))


def test_edge_softmax_is_the_softmax_over_each_nodes_edges() -> None:
    batch = looped_batch(graphs(2))
    scores = 50 * drawn(batch.num_edges, 3)
    weights = edge_softmax(batch, scores)
    for head in range(3):
        present = edge_matrix(batch, torch.ones(batch.num_edges)) > 0
        table = edge_matrix(batch, scores[:, head]).masked_fill(~present, -torch.inf)
        expected = table.softmax(dim=1)[batch.receivers, batch.senders]
        torch.testing.assert_close(weights[:, head], expected)
        sums = edge_matrix(batch, weights[:, head]).sum(1)
        torch.testing.assert_close(sums, torch.ones_like(sums))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_message_passing_on_a_gpu_equals_the_cpu() -> None:
    members, gpu = graphs(2, nodes=50), torch.device("cuda")

    def passed(device: torch.device) -> list[Tensor]:
        batch = batch_graphs([g.adjacency for g in members], device)
        scores = drawn(batch.num_edges, 4).to(device).requires_grad_()
        x = drawn(100, 4, 8, seed=1).to(device).requires_grad_()
        out = gather(batch, edge_softmax(batch, scores), x)
        loss = (out * drawn(100, 4, 8, seed=2).to(device)).sum()
        return [out.detach(), *torch.autograd.grad(loss, (scores, x))]

    for on_gpu, on_cpu in zip(passed(gpu), passed(CPU), strict=True):
        torch.testing.assert_close(on_gpu.cpu(), on_cpu, atol=1e-5, rtol=1e-5)
