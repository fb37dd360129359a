"""Matrices on the device of which a request reads single rows: features, operators, activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gkd_runner.data.graph import FloatArray, is_mapped
from gkd_runner.graph.features import Features
from gkd_runner.models.convolutional import Convolutional
from gkd_runner.models.gat import Gat
from gkd_runner.models.mlp import Mlp

SPARSE_COST = {"cpu": 4.0, "cuda": 30.0}
"""Time per stored value of a sparse product over time per value of a dense one, for few rows.

The value for a GPU is a guess, not measured.
"""


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A CSR matrix ``[n, m]``: row ``i`` is ``counts[i]`` values from ``starts[i]`` on.

    Rows follow each other without gaps. The class does not store ``m``.
    """

    starts: Int[Tensor, " n"]
    counts: Int[Tensor, " n"]
    columns: Int[Tensor, " nnz"]
    values: Float[Tensor, " nnz"]

    @staticmethod
    def of(matrix: sp.csr_array, device: torch.device) -> SparseMatrix:
        """Copy the SciPy matrix to the device."""
        offsets, columns = (
            torch.from_numpy(part.astype(np.int64)).to(device)
            for part in (matrix.indptr, matrix.indices)
        )
        values = torch.from_numpy(matrix.data.astype(np.float32)).to(device)
        return SparseMatrix(offsets[:-1].contiguous(), offsets.diff(), columns, values)

    def take(self, ids: Int[Tensor, " k"]) -> SparseMatrix:
        """Rows ``ids`` ``[k, m]``."""
        counts = self.counts.index_select(0, ids)
        starts = counts.cumsum(0) - counts
        shift = torch.repeat_interleave(self.starts.index_select(0, ids) - starts, counts)
        where = shift.add_(torch.arange(len(shift), device=ids.device))
        columns, values = (x.index_select(0, where) for x in (self.columns, self.values))
        return SparseMatrix(starts, counts, columns, values)

    def matmul(self, x: Float[Tensor, "m h"]) -> Float[Tensor, "n h"]:
        """The matrix times ``x``, as a sum of embeddings: faster than the CSR product on a CPU."""
        return F.embedding_bag(
            self.columns, x, self.starts, mode="sum", per_sample_weights=self.values
        )

    def transposed_matmul(self, x: Float[Tensor, "n b"], columns: int) -> Float[Tensor, "m b"]:
        """The transpose of the matrix, which has ``columns`` columns, times a narrow ``x``."""
        receivers = torch.repeat_interleave(self.counts)
        parts = self.values.unsqueeze(1) * x[receivers]
        return x.new_zeros(columns, x.shape[1]).index_add_(0, self.columns, parts)


@dataclass(frozen=True, eq=False)
class DenseMatrix:
    """A dense matrix ``[n, m]``."""

    x: Float[Tensor, "n m"]

    def take(self, ids: Int[Tensor, " k"]) -> DenseMatrix:
        return DenseMatrix(self.x.index_select(0, ids))

    def matmul(self, x: Float[Tensor, "m h"]) -> Float[Tensor, "n h"]:
        return self.x @ x

    def transposed_matmul(self, x: Float[Tensor, "n b"], columns: int) -> Float[Tensor, "m b"]:
        return self.x.T @ x


@dataclass(frozen=True, eq=False)
class MappedMatrix:
    """A dense matrix ``[n, m]`` in a file, of which rows are read when they are taken."""

    x: FloatArray
    device: torch.device

    def take(self, ids: Int[Tensor, " k"]) -> DenseMatrix:
        return DenseMatrix(torch.from_numpy(self.x[ids.numpy(force=True)]).to(self.device))


Matrix = SparseMatrix | DenseMatrix
RowSource = Matrix | MappedMatrix
"""A matrix of which requests take rows."""

Layer = tuple[Tensor, Tensor]
"""Weight ``[i, o]`` and bias ``[1, o]``."""


def layers_of(model: Mlp | Convolutional | Gat) -> list[Layer]:
    """The layers of the model's only replica.

    They are plain tensors, since a module's lookup of parameters takes longer than a small product.
    """
    pairs = zip(model.weights, model.biases, strict=True)
    return [(weight.detach()[0], bias.detach()[0]) for weight, bias in pairs]


def feature_matrix(features: Features, device: torch.device) -> RowSource:
    """The features multiplied out; sparse if the models keep them sparse too."""
    base = features.multiplied_out().base
    if isinstance(base, np.ndarray) and is_mapped(base):
        return MappedMatrix(base, device)
    n, d = features.shape
    if not isinstance(base, np.ndarray) and SPARSE_COST[device.type] * base.nnz < n * d:
        return SparseMatrix.of(base, device)
    return DenseMatrix(torch.from_numpy(Features(base).dense()).to(device))
