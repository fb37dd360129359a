"""Replica-batched building blocks: activation with dropout, and parameter initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.common.seeding import stream_seed
from gkd_runner.models.streams import VALUES_AT_ONCE, Streams, keep_scale


class _Activation(torch.autograd.Function):
    """``relu(z + bias)`` times dropout's factors, in the memory of ``z``.

    The result tells the gradient what was kept. On a CPU some rows at a time take all steps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        bias: Tensor,
        drop: float,
        streams: Streams | None,
        rows: Sequence[int] | None,
    ) -> Tensor:
        if z.device.type == "cpu":
            for replica, (own, shift) in enumerate(zip(z, bias, strict=True)):
                drawn = len(own) if rows is None else rows[replica]
                own[drawn:] = 0
                for part in torch.split(own[:drawn], _rows_at_once(own)):
                    part.add_(shift).relu_()
                    if streams is not None:
                        part *= streams.fill_mask(torch.empty(part.shape), replica, drop)
        else:
            z.add_(bias).relu_()
            if streams is not None:
                z *= streams.mask(z.shape, drop, rows)
        ctx.save_for_backward(z)
        ctx.scale = 1.0 if streams is None else keep_scale(drop)
        return z

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """The gradient takes the memory of the result, which the layers above no longer need."""
        (out,) = ctx.saved_tensors
        of_bias = grad.new_zeros(len(out), 1, out.shape[2])
        on_host = out.device.type == "cpu"
        replicas = zip(grad, out, of_bias, strict=True) if on_host else [(grad, out, of_bias)]
        for arriving, leaving, total in replicas:
            step = _rows_at_once(leaving) if on_host else out.shape[1]
            parts = zip(*(torch.split(rows, step, -2) for rows in (arriving, leaving)), strict=True)
            for part, kept in parts:
                kept.sign_().mul_(part).mul_(ctx.scale)
                total += kept.sum(-2, keepdim=True)
        return out, of_bias, None, None, None


def _rows_at_once(own: Float[Tensor, "n h"]) -> int:
    """Number of rows that stay in a CPU's cache; a multiple of 4, as random words come in fours."""
    return max(VALUES_AT_ONCE // own.shape[1] // 4 * 4, 4)


def activate(
    z: Float[Tensor, "R n h"],
    bias: Float[Tensor, "R 1 h"],
    drop: float,
    streams: Streams | None,
    rows: Sequence[int] | None = None,
) -> Float[Tensor, "R n h"]:
    """``dropout(relu(z + bias))`` with each replica's own mask; without streams, no dropout.

    The result takes the memory of ``z``. ``rows`` has the number of nodes of each replica where
    some are padded; the padding becomes 0.
    """
    drawing = streams if drop > 0 else None
    out: Tensor = _Activation.apply(z, bias, drop, drawing, rows)  # type: ignore[no-untyped-call]
    return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        narrow = grad.shape[2] < x.shape[2]
        of_weight = (grad.mT @ x).mT if narrow else x.mT @ grad
        return grad @ weight.mT, of_weight


def linear(x: Float[Tensor, "R n d"], weight: Float[Tensor, "R d h"]) -> Float[Tensor, "R n h"]:
    """``x W``, of which the gradient of ``W`` is multiplied in the faster order.

    19,717 x 1,024 to 3 classes, one core: 11 ms instead of 25 for ``(G^T X)^T``; at equal widths
    ``X^T G`` is 6% faster.
    """
    out: Tensor = _Linear.apply(x, weight)  # type: ignore[no-untyped-call]
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
