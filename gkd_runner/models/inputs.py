"""The inputs of a first layer: node features of all replicas, in their cheapest form.

``inputs.matmul(W)`` is ``X W`` for stacked weights. Raw sparse features stay sparse; propagated
ones stay factored (``A (X W)``) unless multiplying them out is cheaper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gkd_runner.data.task import once_per_object
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.features import Features
from gkd_runner.graph.operators import Operator, to_device
from gkd_runner.graph.sparse import csr_matrix
from gkd_runner.models.layers import dropout
from gkd_runner.models.streams import Streams, keep_scale

SPARSE_COST = {"cpu": 4.0, "cuda": 30.0}
"""Time per stored value of a sparse product over time per value of a dense one.

On Cora's first layer and two CPU cores the ratio is 4 to 8 (scripts/benchmark.py). The lower end is
taken, since the sparse form also saves memory. The value for a GPU is a guess, not measured.
"""

ROWS_PER_BLOCK = 1024
"""Number of rows whose gradients are multiplied at once on a CPU, so that they stay in its cache.

Pubmed, width 256, one core: 28 ms instead of 173 for ``X^T G``; scripts/benchmark.py times it on a
made-up graph of that size.
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
    """``[R, n, d]``, or ``[1, n, d]`` when all replicas share the features."""

    x: Float[Tensor, "S n d"]

    @property
    def num_features(self) -> int:
        return int(self.x.shape[2])

    def matmul(self, weight: Tensor) -> Tensor:
        return self.x @ weight

    def with_dropout(self, drop: float, streams: Streams) -> DenseInputs:
        x = self.x.expand(streams.replicas, -1, -1)
        return DenseInputs(dropout(x, drop, streams))


@dataclass(frozen=True, eq=False)
class Sparse:
    """One CSR matrix on the device."""

    offsets: Int[Tensor, " rows_plus_1"]
    columns: Int[Tensor, " nnz"]
    size: tuple[int, int]

    @staticmethod
    def of(matrix: sp.csr_array, device: torch.device) -> Sparse:
        """The structure of ``matrix``, with int32 indices where they fit."""
        dtype = np.int32 if max(matrix.nnz, *matrix.shape) < 2**31 else np.int64
        offsets, columns = (
            torch.from_numpy(array.astype(dtype)).to(device)
            for array in (matrix.indptr, matrix.indices)
        )
        return Sparse(offsets, columns, tuple(matrix.shape))

    def filled(self, values: Float[Tensor, " nnz"]) -> Tensor:
        """The matrix with these values."""
        return csr_matrix(self.offsets, self.columns, values, self.size)


@dataclass(frozen=True, eq=False)
class TransposedBlock:
    """The transpose of the rows from ``start`` on; ``order`` permutes the values to match."""

    start: int
    structure: Sparse
    order: Int[Tensor, " k"]


class _SparseMatmul(torch.autograd.Function):
    """``X W`` with gradient ``X^T G``, block of rows by block of rows."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, inputs: SparseInputs) -> Tensor:
        ctx.inputs = inputs
        return inputs.rows.filled(inputs.values) @ weight

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        inputs: SparseInputs = ctx.inputs
        grad = grad.contiguous()
        total = grad.new_zeros(inputs.rows.size[1], grad.shape[1])
        for block in inputs.transposed:
            rows = grad[block.start : block.start + block.structure.size[1]]
            matrix = block.structure.filled(inputs.values[block.order])
            torch.addmm(total, matrix, rows, out=total)
        return total, None


@dataclass(frozen=True, eq=False)
class SparseInputs:
    """A block-diagonal ``[R * n, R * d]`` CSR matrix, and its transpose in blocks."""

    rows: Sparse
    transposed: tuple[TransposedBlock, ...]
    values: Float[Tensor, " nnz"]
    counts: tuple[int, ...]

    @property
    def num_features(self) -> int:
        return self.rows.size[1] // len(self.counts)

    def matmul(self, weight: Tensor) -> Tensor:
        replicas, _, width = weight.shape
        flat = weight.reshape(-1, width)
        out: Tensor = _SparseMatmul.apply(flat, self)  # type: ignore[no-untyped-call]
        return out.view(replicas, -1, width)

    def with_dropout(self, drop: float, streams: Streams) -> SparseInputs:
        if drop == 0:
            return self
        keep = streams.keep_flat(self.counts, drop)
        return replace(self, values=self.values * keep * keep_scale(drop))


@dataclass(frozen=True, eq=False)
class PropagatedInputs:
    """``sum_k c_k A^k X``, applied as ``sum_k A^k (c X W)`` by Horner's rule.

    All non-zero ``c_k`` are equal and already part of ``base``. ``adds[k]`` is True for the hops
    below the last whose coefficient is not zero.
    """

    base: SparseInputs | DenseInputs
    operator: Operator
    adds: tuple[bool, ...]

    @property
    def num_features(self) -> int:
        return self.base.num_features

    def matmul(self, weight: Tensor) -> Tensor:
        product = self.base.matmul(weight)
        total = flat = product.reshape(-1, weight.shape[2])
        for adds in reversed(self.adds):
            total = self.operator(total)
            total = total + flat if adds else total
        return total.view_as(product)


RawInputs = DenseInputs | SparseInputs
"""Features that are not factored, so that dropout can be applied to them."""


def make_inputs(features: Sequence[Features], graph: GraphBatch) -> Inputs:
    """Put one replica's features after another on ``graph``'s device, in the cheapest form."""
    device = graph.device
    if _cheaper_factored(features[0], SPARSE_COST[device.type]):
        *lower, last = features[0].coefficients
        scaled = once_per_object(features, lambda f: Features(f.base * np.float32(last)))
        operator = to_device([f.operator for f in features], graph)
        return PropagatedInputs(
            _stack(_unshared(scaled), device), operator, tuple(c == last for c in lower)
        )
    return row_inputs(features, device)


def row_inputs(features: Sequence[Features], device: torch.device) -> RawInputs:
    """Features of single rows, apart from their graph; propagated ones are multiplied out."""
    return _stack([f.multiplied_out() for f in _unshared(features)], device)


def _unshared(features: Sequence[Features]) -> Sequence[Features]:
    """One element if all replicas share one dense feature object, else all of them."""
    shared = all(f is features[0] for f in features) and not sp.issparse(features[0].base)
    return features[:1] if shared else features


def _cheaper_factored(features: Features, sparse_cost: float) -> bool:
    """True if the factored form needs fewer operations, counted by stored values.

    Seeds may decide close calls differently, which changes their results in rounding only.
    """
    if features.operator is None or set(features.coefficients) - {0.0} != {
        features.coefficients[-1]
    }:
        return False
    n, d = features.shape
    base = features.base
    first = n * d if isinstance(base, np.ndarray) else sparse_cost * base.nnz
    return bool(first + sparse_cost * features.hops * features.operator.nnz < n * d)


def _stack(features: Sequence[Features], device: torch.device) -> RawInputs:
    first = features[0]
    n, d = first.shape
    base = first.base
    if not isinstance(base, np.ndarray) and SPARSE_COST[device.type] * base.nnz < n * d:
        return _stack_sparse([f.base for f in features], device)
    return DenseInputs(torch.from_numpy(np.stack([f.dense() for f in features])).to(device))


def _stack_sparse(blocks: Sequence[sp.csr_array], device: torch.device) -> SparseInputs:
    matrix = blocks[0] if len(blocks) == 1 else sp.block_diag(blocks, format="csr")
    matrix.sort_indices()
    step = max(matrix.shape[0], 1) if device.type == "cuda" else ROWS_PER_BLOCK
    return SparseInputs(
        Sparse.of(matrix, device),
        tuple(
            _transposed(matrix, start, step, device) for start in range(0, matrix.shape[0], step)
        ),
        torch.from_numpy(matrix.data.astype(np.float32)).to(device),
        tuple(int(block.nnz) for block in blocks),
    )


def _transposed(
    matrix: sp.csr_array, start: int, rows: int, device: torch.device
) -> TransposedBlock:
    stop = min(start + rows, matrix.shape[0])
    first, last = matrix.indptr[start], matrix.indptr[stop]
    positions = sp.csr_array(
        (
            np.arange(first, last),
            matrix.indices[first:last],
            matrix.indptr[start : stop + 1] - first,
        ),
        shape=(stop - start, matrix.shape[1]),
    )
    transposed = sp.csr_array(positions.T)
    order = torch.from_numpy(transposed.data.astype(np.int64)).to(device)
    return TransposedBlock(start, Sparse.of(transposed, device), order)
