"""Influence of nodes (InfGraND): the similarity of a node to the propagated features of all nodes.

``S_ij = cos(x_i, (A^2 x)_j)``, scaled to [0, 1] over all pairs, summed over ``j``, divided by the
largest sum. Scaling by the range cancels in the division, so with unit rows ``x^`` and ``y^``

    I = (u - m s_min) / max(u - m s_min),    u_i = x^_i . sum_j y^_j,    m = number of columns:

one matrix-vector product and the smallest cosine, never an n x n matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gkd_runner.common.lazy import sp
from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.graph.operators import symmetric

BLOCK = 1024
_EPS = 1e-12


def node_influence(graph: GraphData, self_loops: float, columns: int | None = None) -> FloatArray:
    """InfGraND's influence ``[n]`` of every node of ``graph``; ``columns`` as for ``influence``."""
    return influence(graph.features, symmetric(graph.adjacency, self_loops), columns)


def influence(
    features: sp.csr_array | FloatArray, operator: sp.csr_array, columns: int | None = None
) -> FloatArray:
    """Influence ``[n]`` in [0, 1] of every node.

    ``features`` is ``[n, d]``; ``operator`` the normalised adjacency. With ``columns``, only the
    first that many columns are summed, while the smallest cosine is still over all pairs (the
    released code's inductive variant).
    """
    n = features.shape[0]
    columns = n if columns is None else columns
    unit = _unit_rows(features)
    once = operator @ features
    total = np.zeros(features.shape[1], dtype=np.float64)
    for start, block in _propagated(operator, once):
        wanted = block[: max(columns - start, 0)]
        total += np.asarray(wanted.sum(axis=0), dtype=np.float64).ravel()
    smallest = _smallest_cosine(unit, operator, once)
    score = unit @ total - columns * smallest
    largest = float(score.max())
    if largest <= 0:
        return np.ones(n, dtype=np.float32)
    return np.asarray(score / largest, dtype=np.float32)


def _propagated(operator: sp.csr_array, once: Any) -> Iterator[tuple[int, Any]]:
    """Unit rows of ``A (A x)``, a block of rows at a time."""
    for start in range(0, operator.shape[0], BLOCK):
        yield start, _unit_rows(operator[start : start + BLOCK] @ once)


def _unit_rows(matrix: Any) -> Any:
    squares = matrix.multiply(matrix) if sp.issparse(matrix) else matrix * matrix
    norms = np.sqrt(np.asarray(squares.sum(axis=1), dtype=np.float64).ravel())
    inverse = (1.0 / np.maximum(norms, _EPS)).astype(np.float32)
    if sp.issparse(matrix):
        return sp.csr_array(sp.diags_array(inverse) @ matrix)
    return matrix * inverse[:, None]


def _smallest_cosine(unit: Any, operator: sp.csr_array, once: Any) -> float:
    """The smallest entry of ``x^ y^T``; the search stops at 0 where no entry can be smaller."""
    values = unit.data if sp.issparse(unit) else unit
    bounded = bool((values >= 0).all())
    smallest = np.inf
    for _, block in _propagated(operator, once):
        if bounded and _some_pair_shares_nothing(unit, block):
            return 0.0
        smallest = min(smallest, _smallest_product(unit, block))
        if bounded and smallest <= 0:
            return 0.0
    return float(smallest)


def _some_pair_shares_nothing(unit: Any, block: Any) -> bool:
    """True if the sparsest row of ``block`` has no feature in common with some row of ``unit``."""
    if not sp.issparse(unit) or not sp.issparse(block):
        return False
    sparsest = block[[int(np.diff(block.indptr).argmin())]]
    overlap = unit @ sparsest.toarray().ravel()
    return bool((overlap == 0).any())


def _smallest_product(unit: Any, block: Any) -> float:
    """The smallest entry of ``unit @ block.T``, ``BLOCK`` rows of ``unit`` at a time."""
    dense = (block.toarray() if sp.issparse(block) else block).T
    return min(
        float((unit[start : start + BLOCK] @ dense).min())
        for start in range(0, unit.shape[0], BLOCK)
    )
