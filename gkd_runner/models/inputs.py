"""The inputs of a first layer: node features of all replicas, in their cheapest form.

``inputs.matmul(W)`` is ``X W`` for stacked weights. Features are dense, or sparse, or factored
(``A (X W)``, with a sparse ``X``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.data.task import once_per_object
from gkd_runner.graph.features import Features
from gkd_runner.graph.matrix import SparseMatrix, to_device
from gkd_runner.models.forms import DECISIONS, SPARSE, Choice
from gkd_runner.models.layers import dropout
from gkd_runner.models.streams import Streams

ROWS_PER_BLOCK = 1024
"""Number of rows whose gradients are multiplied at once on a CPU, so that they stay in its cache.

Pubmed, width 256, one core: 28 ms instead of 173 for ``X^T G``.
"""


@runtime_checkable
class Inputs(Protocol):
    """Features ``[R, n, d]`` that a linear layer can be applied to."""

    @property
    def num_features(self) -> int:
        """``d``."""

    def matmul(self, weight: Float[Tensor, "R d h"]) -> Float[Tensor, "R n h"]:
        """``X W``, differentiable in ``W``."""


@dataclass(frozen=True, eq=False)
class DenseInputs:
    """``[R, n, d]``, or ``[1, n, d]`` when all replicas share the features.

    ``rows`` has the number of nodes of each replica; those with fewer are padded.
    """

    x: Float[Tensor, "S n d"]
    rows: tuple[int, ...]

    @property
    def num_features(self) -> int:
        return int(self.x.shape[2])

    def matmul(self, weight: Tensor) -> Tensor:
        return self.x @ weight

    def with_dropout(self, drop: float, streams: Streams) -> DenseInputs:
        x = self.x.expand(streams.replicas, -1, -1)
        return replace(self, x=dropout(x, drop, streams, self.rows))


@dataclass(frozen=True, eq=False)
class SparseInputs:
    """A block-diagonal ``[R * n, R * d]`` matrix with ``counts[r]`` values of replica ``r``."""

    matrix: SparseMatrix
    counts: tuple[int, ...]

    @property
    def num_features(self) -> int:
        return self.matrix.size[1] // len(self.counts)

    def matmul(self, weight: Tensor) -> Tensor:
        replicas, _, width = weight.shape
        return self.matrix(weight.reshape(-1, width)).view(replicas, -1, width)

    def with_dropout(self, drop: float, streams: Streams) -> SparseInputs:
        if drop == 0:
            return self
        values = self.matrix.values * streams.mask_flat(self.counts, drop)
        return replace(self, matrix=self.matrix.with_values(values))


@dataclass(frozen=True, eq=False)
class PropagatedInputs:
    """``sum_k c_k A^k X``, applied as ``sum_k A^k (c X W)``.

    All non-zero ``c_k`` are equal and already part of ``base``. ``adds[k]`` is True for the hops
    below the last whose coefficient is not zero.
    """

    base: SparseInputs | DenseInputs
    operator: SparseMatrix
    adds: tuple[bool, ...]

    @property
    def num_features(self) -> int:
        return self.base.num_features

    def matmul(self, weight: Tensor) -> Tensor:
        replicas, _, width = weight.shape
        product = self.base.matmul(weight).reshape(-1, width)
        return self.operator.polynomial(product, self.adds).view(replicas, -1, width)


RawInputs = DenseInputs | SparseInputs
"""Features that are not factored, so that dropout can be applied to them."""


def make_inputs(
    features: Sequence[Features], device: torch.device, width: int | None = None
) -> Inputs:
    """Put one replica's features after another on the device, in the cheapest form.

    ``width`` is the number of outputs of the layer that reads them, at which forms are timed where
    the count of values does not decide. Without it the count always decides.
    """
    first = features[0]
    if not _gains_by_factors(first):
        return row_inputs(features, device, width)
    assert first.operator is not None
    stored = _stored(first) + first.hops * first.operator.nnz
    return _cheapest(
        Choice.of(features, stored, device, width),
        lambda: _factored(features, device),
        lambda: row_inputs(features, device, width),
    )


def row_inputs(
    features: Sequence[Features], device: torch.device, width: int | None = None
) -> RawInputs:
    """Features of single rows, apart from their graph; propagated ones are multiplied out."""
    rows = once_per_object(features, Features.multiplied_out)
    if isinstance(rows[0].base, np.ndarray):
        return _dense(rows, device)
    return _cheapest(
        Choice.of(rows, _stored(rows[0]), device, width),
        lambda: _sparse(rows, device),
        lambda: _dense(rows, device),
    )


def _gains_by_factors(features: Features) -> bool:
    """True if the factored form may need fewer operations than the multiplied-out one.

    Seeds may decide close calls differently, which changes their results in rounding only.
    """
    operator, base = features.operator, features.base
    if operator is None or isinstance(base, np.ndarray):
        return False
    if set(features.coefficients) - {0.0} != {features.coefficients[-1]}:
        return False
    if features.hops > 1:
        return True
    product = int(np.diff(base.indptr)[operator.indices].sum())  # at most so many stored values
    return bool(base.nnz + operator.nnz < product)


def _factored(features: Sequence[Features], device: torch.device) -> PropagatedInputs:
    *lower, last = features[0].coefficients
    scaled = once_per_object(features, lambda f: Features(f.base * np.float32(last)))
    operator = to_device([f.operator for f in features], device)
    return PropagatedInputs(_sparse(scaled, device), operator, tuple(c == last for c in lower))


def _dense(features: Sequence[Features], device: torch.device) -> DenseInputs:
    counts = tuple(f.shape[0] for f in features)
    if all(f is features[0] for f in features):
        features = features[:1]
    blocks = [f.dense() for f in features]
    rows = max(map(len, blocks))
    padded = [np.pad(x, ((0, rows - len(x)), (0, 0))) if len(x) < rows else x for x in blocks]
    x = padded[0][None] if len(padded) == 1 else np.stack(padded)
    return DenseInputs(torch.from_numpy(x).to(device), counts)


def _sparse(features: Sequence[Features], device: torch.device) -> SparseInputs:
    blocks = [sp.csr_array(f.base) for f in features]
    step = None if device.type == "cuda" else ROWS_PER_BLOCK
    return SparseInputs(to_device(blocks, device, step), tuple(int(b.nnz) for b in blocks))


def _stored(features: Features) -> int:
    base = features.base
    return int(base.size if isinstance(base, np.ndarray) else base.nnz)


SparseT = TypeVar("SparseT", bound=Inputs)
DenseT = TypeVar("DenseT", bound=Inputs)


def _cheapest(
    choice: Choice, sparse: Callable[[], SparseT], dense: Callable[[], DenseT]
) -> SparseT | DenseT:
    """The cheaper form: by count where that is clear, else by timing both once."""
    sparse, dense = cache(sparse), cache(dense)

    def seconds(form: str) -> float:
        return _seconds(sparse() if form == SPARSE else dense(), choice)

    form = choice.by_count or DECISIONS.form(choice, seconds)
    return sparse() if form == SPARSE else dense()


@torch.enable_grad()
def _seconds(inputs: Inputs, choice: Choice) -> float:
    """Time of a forward and backward pass at the layer's real size."""
    shape = (choice.replicas, inputs.num_features, choice.width or 1)
    weight = torch.zeros(shape, device=choice.device, requires_grad=True)
    started = time.perf_counter()
    # backward() with a given gradient would import sympy, which takes a CPU second
    torch.autograd.grad(inputs.matmul(weight).square().sum(), weight)
    if choice.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
