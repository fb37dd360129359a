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


class _ReluDropout(torch.autograd.Function):
    """ReLU and dropout in one pass; only a bool mask is kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, scale: float) -> Tensor:
        mask = (x > 0) & keep
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return (x * mask).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return (grad * mask).mul_(ctx.scale), None, None


def relu_dropout(
    x: Float[Tensor, "R n h"], drop: float, streams: Streams | None
) -> Float[Tensor, "R n h"]:
    """``dropout(relu(x))`` with each replica's own mask; without streams, ``relu(x)``."""
    if streams is None or drop == 0:
        return torch.relu(x)
    keep = streams.keep(x.shape, drop)
    out: Tensor = _ReluDropout.apply(x, keep, keep_scale(drop))  # type: ignore[no-untyped-call]
    return out


def dropout(x: Tensor, drop: float, streams: Streams | None) -> Tensor:
    """Dropout of ``[R, ...]`` with each replica's own mask; without streams, ``x`` itself."""
    if streams is None or drop == 0:
        return x
    return x * streams.keep(x.shape, drop) * keep_scale(drop)


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
