"""The two kernels of message passing, on torch's CSR products: the same on CPU and GPU.

Two kernels are enough for every layer here. DGL's kernels give the same numbers
(tests/graph/test_kernels.py) but are mostly slower on a CPU, and DGL's wheels on PyPI do not
support GPUs. DGL samples neighbours; training on whole graphs does not need it.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float

from gkd_runner.common.lazy import torch
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.sparse import csr_matrix, product


def spmm(
    graph: GraphBatch, values: Float[torch.Tensor, "E H"], x: Float[torch.Tensor, "M H D"]
) -> Float[torch.Tensor, "N H D"]:
    """``out[i] = sum over edges e = (j -> i) of values[e] * x[j]``, head by head; no autograd."""
    return _by_head(lambda h: _edge_matrix(graph, values[:, h]), x)


def transposed_spmm(
    graph: GraphBatch, values: Float[torch.Tensor, "E H"], x: Float[torch.Tensor, "N H D"]
) -> Float[torch.Tensor, "M H D"]:
    """``out[j] = sum over edges e = (j -> i) of values[e] * x[i]``, head by head; no autograd."""
    size = (graph.replicas * graph.sources, graph.replicas * graph.nodes)
    sorted_values = values[graph.by_sender]
    return _by_head(
        lambda h: csr_matrix(*graph.compact_transposed, sorted_values[:, h].contiguous(), size), x
    )


def sddmm(
    graph: GraphBatch, receiver: Float[torch.Tensor, "N H D"], sender: Float[torch.Tensor, "M H D"]
) -> Float[torch.Tensor, "E H"]:
    """``out[e] = <receiver[i], sender[j]>`` for edges e = (j -> i), head by head; no autograd."""
    pattern = _edge_matrix(graph, receiver.new_zeros(graph.num_edges))
    heads = [
        torch.sparse.sampled_addmm(pattern, receiver[:, head], sender[:, head].T, beta=0.0).values()
        for head in range(receiver.shape[1])
    ]
    return _join(heads)


def _by_head(matrix: Callable[[int], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return _join([product(matrix(h), x[:, h].contiguous()) for h in range(x.shape[1])])


def _join(heads: list[torch.Tensor]) -> torch.Tensor:
    """``[..., H, ...]`` along dimension 1; a single head without a copy."""
    return heads[0].unsqueeze(1) if len(heads) == 1 else torch.stack(heads, dim=1)


def _edge_matrix(graph: GraphBatch, values: Float[torch.Tensor, " E"]) -> torch.Tensor:
    """The block-diagonal matrix with ``values[e]`` at (receiver, sender), without copies."""
    size = (graph.replicas * graph.nodes, graph.replicas * graph.sources)
    return csr_matrix(*graph.compact, values.contiguous(), size)
