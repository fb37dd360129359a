"""The two kernels of message passing, on torch's CSR products: the same on CPU and GPU.

Two kernels are enough for every layer here. DGL's kernels give the same numbers
(tests/graph/test_kernels.py) but are mostly slower on a CPU, and DGL's wheels on PyPI do not
support GPUs. DGL samples neighbours; training on whole graphs does not need it.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float

from gkd_runner.common.lazy import torch
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.sparse import csr_matrix, product


def spmm(
    graph: GraphBatch, values: Float[torch.Tensor, "E H"], x: Float[torch.Tensor, "M H D"]
) -> Float[torch.Tensor, "N H D"]:
    """``out[i] = sum over edges e = (j -> i) of values[e] * x[j]``, head by head; no autograd."""
    return _by_head([_edge_matrix(graph, column) for column in values.unbind(1)], x)


def transposed_spmm(
    graph: GraphBatch, values: Float[torch.Tensor, "E H"], x: Float[torch.Tensor, "N H D"]
) -> Float[torch.Tensor, "M H D"]:
    """``out[j] = sum over edges e = (j -> i) of values[e] * x[i]``, head by head; no autograd."""
    size = (graph.replicas * graph.sources, graph.replicas * graph.nodes)
    pattern = graph.compact_transposed
    columns = values[graph.by_sender].T.contiguous()
    return _by_head([csr_matrix(*pattern, column, size) for column in columns], x)


def sddmm(
    graph: GraphBatch, receiver: Float[torch.Tensor, "N H D"], sender: Float[torch.Tensor, "M H D"]
) -> Float[torch.Tensor, "E H"]:
    """``out[e] = <receiver[i], sender[j]>`` for edges e = (j -> i), head by head; no autograd."""
    pattern = _edge_matrix(graph, receiver.new_zeros(graph.num_edges))
    heads = [
        torch.sparse.sampled_addmm(pattern, receiver[:, head], sender[:, head].T, beta=0.0).values()
        for head in range(receiver.shape[1])
    ]
    return heads[0].unsqueeze(1) if len(heads) == 1 else torch.stack(heads, dim=1)


def _by_head(matrices: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    out = x.new_empty(matrices[0].shape[0], *x.shape[1:])
    for head, matrix in enumerate(matrices):
        product(matrix, x[:, head], out[:, head])
    return out


def _edge_matrix(graph: GraphBatch, values: Float[torch.Tensor, " E"]) -> torch.Tensor:
    """The block-diagonal matrix with ``values[e]`` at (receiver, sender), without copies."""
    size = (graph.replicas * graph.nodes, graph.replicas * graph.sources)
    return csr_matrix(*graph.compact, values.contiguous(), size)
