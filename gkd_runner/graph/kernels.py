"""Message passing: DGL's kernels where they serve the device, torch's otherwise.

Two kernels are enough for every layer here, since all graphs are symmetric: a transposed sparse
matrix is the same structure with its edge values permuted (``GraphBatch.reverse``).
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.graph import dgl_compat
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.sparse import csr_matrix


@runtime_checkable
class Kernels(Protocol):
    """What a backend must offer; both kernels work on plain values, without autograd."""

    def gather(
        self, graph: GraphBatch, values: Float[Tensor, "E H"], x: Float[Tensor, "N H D"]
    ) -> Float[Tensor, "N H D"]:
        """``out[i] = sum over edges e = (j -> i) of values[e] * x[j]``, head by head."""

    def edge_dot(
        self, graph: GraphBatch, receiver: Float[Tensor, "N H D"], sender: Float[Tensor, "N H D"]
    ) -> Float[Tensor, "E H"]:
        """``out[e] = <receiver[i], sender[j]>`` for each edge e = (j -> i), head by head."""


class DglKernels:
    """DGL's ``gspmm`` and ``gsddmm``."""

    def __init__(self) -> None:
        self._dgl = dgl_compat.import_dgl()
        self._graphs: weakref.WeakKeyDictionary[GraphBatch, Any] = weakref.WeakKeyDictionary()

    def gather(self, graph: GraphBatch, values: Tensor, x: Tensor) -> Tensor:
        out: Tensor = self._dgl.ops.u_mul_e_sum(self._graph(graph), x, values.unsqueeze(-1))
        return out

    def edge_dot(self, graph: GraphBatch, receiver: Tensor, sender: Tensor) -> Tensor:
        out: Tensor = self._dgl.ops.u_dot_v(self._graph(graph), sender, receiver)
        return out.squeeze(-1)

    def _graph(self, graph: GraphBatch) -> Any:
        if graph not in self._graphs:
            offsets, senders = graph.compact
            csc = (offsets, senders, senders.new_empty(0))
            self._graphs[graph] = self._dgl.graph(("csc", csc), device=graph.device)
        return self._graphs[graph]


class TorchKernels:
    """torch's CSR product and sampled product, one head at a time."""

    def gather(self, graph: GraphBatch, values: Tensor, x: Tensor) -> Tensor:
        heads = [
            csr_tensor(graph, values[:, head]) @ x[:, head].contiguous()
            for head in range(x.shape[1])
        ]
        return torch.stack(heads, dim=1)

    def edge_dot(self, graph: GraphBatch, receiver: Tensor, sender: Tensor) -> Tensor:
        zeros = receiver.new_zeros(graph.num_edges)
        heads = [
            torch.sparse.sampled_addmm(
                csr_tensor(graph, zeros), receiver[:, head], sender[:, head].T, beta=0.0
            ).values()
            for head in range(receiver.shape[1])
        ]
        return torch.stack(heads, dim=1)


def csr_tensor(graph: GraphBatch, values: Float[Tensor, " E"]) -> Tensor:
    """The block-diagonal matrix with ``values[e]`` at (receiver, sender), without copies."""
    size = (graph.replicas * graph.nodes,) * 2
    return csr_matrix(*graph.compact, values.contiguous(), size)


_BACKENDS: dict[str, Kernels] = {}


def kernels_for(device: torch.device) -> Kernels:
    """The kernels that message passing on ``device`` uses."""
    if device.type not in _BACKENDS:
        use_dgl = dgl_compat.serves(device.type)
        _BACKENDS[device.type] = DglKernels() if use_dgl else TorchKernels()
    return _BACKENDS[device.type]
