"""Constant sparse matrices on the device whose products can be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gkd_runner.graph.operators import stack
from gkd_runner.graph.sparse import csr_matrix, product


@dataclass(frozen=True, eq=False)
class Pattern:
    """The positions of the stored values of one CSR matrix on the device."""

    offsets: Int[Tensor, " rows_plus_1"]
    columns: Int[Tensor, " nnz"]
    size: tuple[int, int]

    @staticmethod
    def of(matrix: sp.csr_array, device: torch.device) -> Pattern:
        """The pattern of ``matrix``, with int32 indices where they fit."""
        dtype = np.int32 if max(matrix.nnz, *matrix.shape) < 2**31 else np.int64
        offsets, columns = (
            torch.from_numpy(array.astype(dtype)).to(device)
            for array in (matrix.indptr, matrix.indices)
        )
        return Pattern(offsets, columns, tuple(matrix.shape))

    def filled(self, values: Float[Tensor, " nnz"]) -> Tensor:
        """The matrix with these values."""
        return csr_matrix(self.offsets, self.columns, values, self.size)


@dataclass(frozen=True, eq=False)
class TransposedBlock:
    """The transpose of the rows from ``start`` on; ``order`` permutes the values to match."""

    start: int
    pattern: Pattern
    order: Int[Tensor, " k"]


class _Polynomial(torch.autograd.Function):
    """``(M^K + sum over k with adds[k] of M^k) x``, by Horner's rule in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: SparseMatrix, adds: Sequence[bool]) -> Tensor:
        ctx.matrix, ctx.adds = matrix, adds
        return _horner(lambda total: product(matrix.csr, total), x, adds)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _horner(ctx.matrix.transposed_product, grad.contiguous(), ctx.adds), None, None


def _horner(multiply: Callable[[Tensor], Tensor], x: Tensor, adds: Sequence[bool]) -> Tensor:
    total = x
    for add in reversed(adds):
        total = multiply(total)
        if add:
            total += x
    return total


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A constant matrix ``M``, or the matrices of all replicas as one block-diagonal one."""

    rows: Pattern
    transposed: tuple[TransposedBlock, ...]
    values: Float[Tensor, " nnz"]

    @property
    def size(self) -> tuple[int, int]:
        return self.rows.size

    @cached_property
    def csr(self) -> Tensor:
        """The matrix as a CSR tensor."""
        return self.rows.filled(self.values)

    @cached_property
    def _blocks(self) -> list[tuple[int, Tensor]]:
        """The first row of each block, and its transpose."""
        return [(b.start, b.pattern.filled(self.values[b.order])) for b in self.transposed]

    def __call__(self, x: Float[Tensor, "M D"]) -> Float[Tensor, "N D"]:
        """``M x``, differentiable in ``x``."""
        return self.polynomial(x, (False,))

    def polynomial(self, x: Float[Tensor, "M D"], adds: Sequence[bool]) -> Float[Tensor, "N D"]:
        """``M^K x`` plus ``M^k x`` for every ``k`` with ``adds[k]``; ``K`` is the length of it."""
        out: Tensor = _Polynomial.apply(x, self, adds)  # type: ignore[no-untyped-call]
        return out

    def transposed_product(self, grad: Float[Tensor, "N D"]) -> Float[Tensor, "M D"]:
        """``M^T grad`` without autograd."""
        (_, first), *others = self._blocks
        total = product(first, grad[: first.shape[1]])
        for start, block in others:
            rows = grad[start : start + block.shape[1]]
            torch.addmm(total, block, rows, out=total)
        return total

    def with_values(self, values: Float[Tensor, " nnz"]) -> SparseMatrix:
        """A matrix of the same pattern."""
        return replace(self, values=values)


def to_device(
    matrices: Sequence[sp.csr_array], device: torch.device, rows_per_block: int | None = None
) -> SparseMatrix:
    """Put one matrix per replica on the device as one block-diagonal matrix.

    Smaller matrices are padded with empty rows and columns to the size of the largest. Gradients
    are multiplied ``rows_per_block`` rows at once; by default, all.
    """
    matrix = stack(matrices)
    step = rows_per_block or max(matrix.shape[0], 1)
    starts = range(0, max(matrix.shape[0], 1), step)
    return SparseMatrix(
        Pattern.of(matrix, device),
        tuple(_transposed(matrix, start, step, device) for start in starts),
        torch.from_numpy(matrix.data.astype(np.float32)).to(device),
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
    return TransposedBlock(start, Pattern.of(transposed, device), order)
