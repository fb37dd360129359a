"""Adjacency matrices of graphs, normalised or stacked, on the host."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gkd_runner.common.lazy import sp

_ROWS_AT_ONCE = 2**16
"""Rows that are scaled at once, so that their float64 values need little memory."""


def symmetric(adjacency: sp.csr_array, self_loops: float = 1.0) -> sp.csr_array:
    """``D^-1/2 (A + self_loops * I) D^-1/2`` with ``D`` the row sums of the bracket.

    GCN's operator with one self-loop; InfGraND's released code has two.
    """
    looped = with_self_loops(adjacency, self_loops)
    inverse_root = 1.0 / np.sqrt(_row_sums(looped))
    return _scaled(looped, inverse_root, inverse_root)


def sage_mean(adjacency: sp.csr_array) -> sp.csr_array:
    """GraphSAGE's "gcn" aggregator on a graph with self-loops.

    ``(sum of neighbours + self) / (degree + 1)``. With the self-loop the node itself counts twice
    and its degree is one larger, as in DGL's ``SAGEConv``.
    """
    looped = with_self_loops(adjacency, 2.0)
    return _scaled(looped, 1.0 / _row_sums(looped), np.ones(adjacency.shape[0]))


def with_self_loops(adjacency: sp.csr_array, weight: float = 1.0) -> sp.csr_array:
    """``A + weight * I``."""
    identity = sp.eye_array(adjacency.shape[0], dtype=np.float32, format="csr")
    return sp.csr_array(adjacency + weight * identity)


def stack(matrices: Sequence[sp.csr_array]) -> sp.csr_array:
    """One block-diagonal matrix with sorted indices, each block padded to the largest size."""
    matrix = matrices[0]
    if len(matrices) > 1:
        rows, columns = (max(matrix.shape[axis] for matrix in matrices) for axis in (0, 1))
        matrix = sp.block_diag([_padded(m, rows, columns) for m in matrices], format="csr")
    return matrix if matrix.has_sorted_indices else matrix.sorted_indices()


def _padded(matrix: sp.csr_array, rows: int, columns: int) -> sp.csr_array:
    """``matrix`` with empty rows and columns added."""
    offsets = np.pad(matrix.indptr, (0, rows - matrix.shape[0]), mode="edge")
    return sp.csr_array((matrix.data, matrix.indices, offsets), shape=(rows, columns))


def _row_sums(matrix: sp.csr_array) -> npt.NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()


def _scaled(
    matrix: sp.csr_array,
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
) -> sp.csr_array:
    """``diag(left) matrix diag(right)``, on the matrix's own indices, in chunks of rows."""
    values = np.empty(matrix.nnz, dtype=np.float32)
    for start in range(0, matrix.shape[0], _ROWS_AT_ONCE):
        offsets = matrix.indptr[start : start + _ROWS_AT_ONCE + 1]
        edges = slice(offsets[0], offsets[-1])
        of_rows = np.repeat(left[start : start + _ROWS_AT_ONCE], np.diff(offsets))
        values[edges] = of_rows * matrix.data[edges] * right[matrix.indices[edges]]
    scaled = sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)
    scaled.sort_indices()
    return scaled
