"""Differentiable message passing over a ``GraphBatch``."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.kernels import sddmm, spmm, transposed_spmm


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
        of_x = transposed_spmm(graph, values, grad) if ctx.needs_input_grad[2] else None
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
    graph: GraphBatch, values: Float[Tensor, "E H"], x: Float[Tensor, "M H D"]
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
