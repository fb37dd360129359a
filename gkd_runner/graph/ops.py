"""Differentiable message passing over a ``GraphBatch``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.kernels import sddmm, spmm


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: GraphBatch, values: Tensor, x: Tensor) -> Tensor:
        ctx.graph = graph
        ctx.save_for_backward(values, x)
        return spmm(graph, values, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        values, x = ctx.saved_tensors
        graph = ctx.graph
        grad = grad.contiguous()
        of_values = sddmm(graph, grad, x) if ctx.needs_input_grad[1] else None
        of_x = spmm(graph, values[graph.reverse], grad) if ctx.needs_input_grad[2] else None
        return None, of_values, of_x


class _EdgeSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: GraphBatch, scores: Tensor) -> Tensor:
        highest = _segment(graph, scores, "max")
        weights = (scores - highest[graph.receivers]).exp()
        weights = weights / _segment(graph, weights, "sum")[graph.receivers]
        ctx.graph = graph
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        (weights,) = ctx.saved_tensors
        flow = weights * grad
        return None, flow - weights * _segment(ctx.graph, flow, "sum")[ctx.graph.receivers]


def gather(
    graph: GraphBatch, values: Float[Tensor, "E H"], x: Float[Tensor, "N H D"]
) -> Float[Tensor, "N H D"]:
    """Weighted sum of each node's neighbours, head by head; differentiable in both inputs."""
    out: Tensor = _Gather.apply(graph, values, x)  # type: ignore[no-untyped-call]
    return out


def edge_softmax(graph: GraphBatch, scores: Float[Tensor, "E H"]) -> Float[Tensor, "E H"]:
    """Softmax of the scores of each node's incoming edges, head by head."""
    out: Tensor = _EdgeSoftmax.apply(graph, scores)  # type: ignore[no-untyped-call]
    return out


def _segment(graph: GraphBatch, values: Tensor, reduce: str) -> Tensor:
    """Reduce edge values ``[E, H]`` to the nodes that receive them, ``[N, H]``."""
    return torch.segment_reduce(values, reduce, offsets=graph.offsets, axis=0)


@dataclass(frozen=True, eq=False)
class Operator:
    """The matrices of all replicas on the device: ``operator(x) = M x``, differentiable in x."""

    graph: GraphBatch
    values: Float[Tensor, " E"]

    def __call__(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        return gather(self.graph, self.values.unsqueeze(1), x.unsqueeze(1)).squeeze(1)


def to_device(matrices: Sequence[sp.csr_array], graph: GraphBatch) -> Operator:
    """Put one ``[n, n]`` matrix per replica on ``graph``'s device.

    Each matrix must store exactly the edges and self-loops of its replica in ``graph``.
    """
    values = np.concatenate([matrix.data for matrix in matrices]).astype(np.float32)
    if len(values) != graph.num_edges:
        raise ValueError(f"{len(values)} stored values for {graph.num_edges} edges")
    return Operator(graph, torch.from_numpy(values).to(graph.device))
