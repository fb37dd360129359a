"""Replica-batched building blocks: activation with dropout, and parameter initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.common.seeding import stream_seed
from gkd_runner.models.streams import Streams, keep_scale


class _Activation(torch.autograd.Function):
    """``relu(z + bias)`` times dropout's factors; the result tells the gradient what was kept."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, bias: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        out = torch.add(z, bias).relu_()
        if mask is not None:
            out *= mask
        ctx.save_for_backward(out)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (out,) = ctx.saved_tensors
        grad = torch.ops.aten.threshold_backward(grad, out, 0)
        if ctx.scale != 1:
            grad *= ctx.scale
        return grad, grad.sum(1, keepdim=True), None, None


def activate(
    z: Float[Tensor, "R n h"],
    bias: Float[Tensor, "R 1 h"],
    drop: float,
    streams: Streams | None,
    rows: Sequence[int] | None = None,
) -> Float[Tensor, "R n h"]:
    """``dropout(relu(z + bias))`` with each replica's own mask; without streams, no dropout.

    ``rows`` has the number of nodes of each replica where some are padded.
    """
    mask, scale = None, 1.0
    if streams is not None and drop > 0:
        mask, scale = streams.mask(z.shape, drop, rows), keep_scale(drop)
    out: Tensor = _Activation.apply(z, bias, mask, scale)  # type: ignore[no-untyped-call]
    return out


def dropout(
    x: Tensor, drop: float, streams: Streams | None, rows: Sequence[int] | None = None
) -> Tensor:
    """Dropout of ``[R, n, ...]`` with each replica's own mask; without streams, ``x`` itself."""
    if streams is None or drop == 0:
        return x
    return x * streams.mask(x.shape, drop, rows)


class Initializer:
    """Draws stacked parameters ``[R, ...]`` on the host, so that all devices start alike."""

    def __init__(self, seeds: Sequence[int], name: str) -> None:
        self._generators = [torch.Generator().manual_seed(stream_seed(s, name)) for s in seeds]

    def uniform(self, *shape: int, bound: float) -> nn.Parameter:
        """Uniform in ``[-bound, bound]``."""
        draws = [torch.empty(shape).uniform_(-bound, bound, generator=g) for g in self._generators]
        return nn.Parameter(torch.stack(draws))

    def normal(self, *shape: int, std: float) -> nn.Parameter:
        """Normal with mean 0."""
        draws = [torch.empty(shape).normal_(0.0, std, generator=g) for g in self._generators]
        return nn.Parameter(torch.stack(draws))

    def xavier_uniform(self, fan_in: int, fan_out: int, gain: float = 1.0) -> nn.Parameter:
        """Glorot's uniform weights ``[R, fan_in, fan_out]``."""
        bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
        return self.uniform(fan_in, fan_out, bound=bound)

    def zeros(self, *shape: int) -> nn.Parameter:
        """Zeros ``[R, ...]``."""
        return nn.Parameter(torch.zeros(len(self._generators), *shape))
