"""Normalised adjacency matrices of a graph, on the host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gkd_runner.common.lazy import sp


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


def _row_sums(matrix: sp.csr_array) -> npt.NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()


def _scaled(
    matrix: sp.csr_array,
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
) -> sp.csr_array:
    scaled = sp.csr_array(sp.diags_array(left) @ matrix @ sp.diags_array(right), dtype=np.float32)
    scaled.sort_indices()
    return scaled
