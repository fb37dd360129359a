"""The two kernels of message passing, on torch's CSR products: the same on CPU and GPU.

Two kernels are enough for every layer here. All graphs are symmetric, so a transposed sparse
matrix has the same structure with its edge values permuted (``GraphBatch.reverse``). DGL's kernels
give the same numbers (tests/graph/test_kernels.py) but are mostly slower on a CPU
(scripts/benchmark.py), and DGL's wheels on PyPI do not support GPUs. The tests use DGL as an
oracle; runs do not need it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.sparse import csr_matrix


def spmm(
    graph: GraphBatch, values: Float[Tensor, "E H"], x: Float[Tensor, "N H D"]
) -> Float[Tensor, "N H D"]:
    """``out[i] = sum over edges e = (j -> i) of values[e] * x[j]``, head by head; no autograd."""
    heads = range(x.shape[1])
    return _join([_edge_matrix(graph, values[:, h]) @ x[:, h].contiguous() for h in heads])


def sddmm(
    graph: GraphBatch, receiver: Float[Tensor, "N H D"], sender: Float[Tensor, "N H D"]
) -> Float[Tensor, "E H"]:
    """``out[e] = <receiver[i], sender[j]>`` for edges e = (j -> i), head by head; no autograd."""
    pattern = _edge_matrix(graph, receiver.new_zeros(graph.num_edges))
    heads = [
        torch.sparse.sampled_addmm(pattern, receiver[:, head], sender[:, head].T, beta=0.0).values()
        for head in range(receiver.shape[1])
    ]
    return _join(heads)


def _join(heads: list[Tensor]) -> Tensor:
    """``[..., H, ...]`` along dimension 1; a single head without a copy."""
    return heads[0].unsqueeze(1) if len(heads) == 1 else torch.stack(heads, dim=1)


def _edge_matrix(graph: GraphBatch, values: Float[Tensor, " E"]) -> Tensor:
    """The block-diagonal matrix with ``values[e]`` at (receiver, sender), without copies."""
    size = (graph.replicas * graph.nodes,) * 2
    return csr_matrix(*graph.compact, values.contiguous(), size)
