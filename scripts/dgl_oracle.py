"""DGL's kernels, as the oracle of tests, and an alternative in the benchmark."""

from __future__ import annotations

from torch import Tensor

from gkd_runner.common.dgl_library import import_dgl
from gkd_runner.graph.batch import GraphBatch

__all__ = ["DglKernels", "import_dgl"]


class DglKernels:
    """DGL's ``gspmm`` and ``gsddmm`` with the signatures of ``gkd_runner.graph.kernels``."""

    def __init__(self, graph: GraphBatch) -> None:
        self._ops = import_dgl().ops
        csc = (graph.offsets, graph.senders, graph.senders.new_empty(0))
        self._graph = import_dgl().graph(("csc", csc))

    def spmm(self, _: GraphBatch, values: Tensor, x: Tensor) -> Tensor:
        """Weighted sums of neighbours."""
        out: Tensor = self._ops.u_mul_e_sum(self._graph, x, values.unsqueeze(-1))
        return out

    def sddmm(self, _: GraphBatch, receiver: Tensor, sender: Tensor) -> Tensor:
        """Dot products along edges."""
        out: Tensor = self._ops.u_dot_v(self._graph, sender, receiver)
        return out.squeeze(-1)
