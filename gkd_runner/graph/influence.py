"""Influence of nodes (InfGraND): the similarity of a node to the propagated features of all nodes.

``S_ij = cos(x_i, (A^2 x)_j)``, scaled to [0, 1] over all pairs, summed over ``j``, divided by the
largest sum. Scaling by the range cancels in the division, so with unit rows ``x^`` and ``y^``

    I = (u - m s) / max(u - m s),    u_i = x^_i . sum_j y^_j,    m = number of columns,

where ``s`` is the smallest cosine: one matrix-vector product and a search, never an n x n matrix.

``I`` falls as ``s`` rises. A product from above, ``t >= s``, therefore gives an estimate that is
never too high; as no cosine is below -1 (below 0 where no feature is negative), the same formula at
this limit says how much too low it may be.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.lazy import sp, torch
from gkd_runner.common.progress import tell_progress
from gkd_runner.data.graph import FloatArray, GraphData, IntArray, largest_value
from gkd_runner.graph.features import product
from gkd_runner.graph.operators import symmetric
from gkd_runner.graph.row_blocks import DenseRows, Rows, SparseRows
from gkd_runner.graph.smallest_product import STARTS, smallest_from_above, smallest_product

BLOCK = 1024
_EPS = 1e-12

LARGEST_NORM = 1e18
"""Rows with larger norms, and with norms below ``_EPS``, are scaled before they are squared."""

MODERATE = (2.0**-40, 2.0**40)
"""Limits of the largest feature within which sums neither overflow nor vanish."""

logger = logging.getLogger("gkd_runner")


@dataclass(frozen=True, eq=False)
class Influence:
    """The influence of nodes and how well it is known.

    ``scores`` ``[n]`` are in [0, 1]. The smallest cosine of all pairs is between
    ``lowest_cosine`` and ``smallest_cosine``, which are equal after an exact search. ``error`` is
    how much too low a score may be by that; no score is too high.
    """

    scores: FloatArray
    lowest_cosine: float
    smallest_cosine: float
    error: float


def node_influence(
    graph: GraphData,
    self_loops: float,
    columns: int | None = None,
    device: torch.device | None = None,
    *,
    exact: bool = True,
) -> Influence:
    """InfGraND's influence of every node of ``graph``; the other arguments as for ``influence``."""
    operator = symmetric(graph.adjacency, self_loops)
    return influence(graph.features, operator, columns, device, exact=exact)


def influence(
    features: sp.csr_array | FloatArray,
    operator: sp.csr_array,
    columns: int | None = None,
    device: torch.device | None = None,
    *,
    exact: bool = True,
) -> Influence:
    """Influence of every node.

    ``features`` is ``[n, d]``; ``operator`` the normalised adjacency. With ``columns``, only the
    first that many columns are summed, while the smallest cosine is still over all pairs (the
    released code's inductive variant). ``device`` multiplies the rows, by default the CPU.

    The search for the smallest cosine compares all pairs of nodes where features are negative.
    With ``exact=False`` its cost is linear in the number of nodes, and ``Influence.error`` bounds
    what that does to the scores.
    """
    n = features.shape[0]
    columns = n if columns is None else columns
    unit, once = _unit_rows(features), product(operator, _moderate(features))
    total = np.zeros(features.shape[1], dtype=np.float64)
    for start, block in _propagated(operator, once):
        wanted = block[: max(columns - start, 0)]
        total += np.asarray(wanted.sum(axis=0), dtype=np.float64).ravel()
    mean = (unit @ total) / columns
    lowest, smallest = _smallest_cosine(
        unit, operator, once, torch.device("cpu") if device is None else device, exact
    )
    found, extreme = _scores(mean, smallest), _scores(mean, lowest)
    error = float((extreme - found).max())
    if error > 0:
        logger.info(
            "influence is estimated: the smallest cosine is between %.3f and %.3f, the influence of"
            " no node is more than %.3f above its estimate",
            lowest, smallest, error,
        )  # fmt: skip
    return Influence(found.astype(np.float32), lowest, smallest, error)


def _scores(mean: npt.NDArray[np.float64], smallest: float) -> npt.NDArray[np.float64]:
    """Influence, given each node's mean cosine ``[n]`` and the smallest cosine of all."""
    largest = float(mean.max()) - smallest
    return (mean - smallest) / largest if largest > 0 else np.ones_like(mean)


def _propagated(operator: sp.csr_array, once: Any) -> Iterator[tuple[int, Any]]:
    """Unit rows of ``A (A x)``, a block of rows at a time."""
    for start in range(0, operator.shape[0], BLOCK):
        yield start, _propagated_rows(operator, once, slice(start, start + BLOCK))


def _propagated_rows(operator: sp.csr_array, once: Any, which: Any) -> Any:
    """Unit rows of ``A (A x)``, those of a slice or of an array of ids."""
    return _unit_rows(operator[which] @ once)


def _moderate(features: sp.csr_array | FloatArray) -> Any:
    """The features times a power of two, so that sums neither overflow nor vanish.

    Cosines stay the same. Features of a usual scale are left as they are.
    """
    largest = largest_value(features)
    if largest == 0 or MODERATE[0] <= largest <= MODERATE[1]:
        return features
    # in two steps, as 2 ** -exponent of the smallest numbers is above the largest float32
    half = -math.frexp(largest)[1] // 2
    return features * np.float32(2.0**half) * np.float32(2.0**half)


def _unit_rows(matrix: Any) -> Any:
    """Each row divided by its norm; rows of zeros stay zeros."""
    norms = _norms(matrix)
    odd = np.flatnonzero(~((norms > _EPS) & (norms < LARGEST_NORM)))
    if len(odd) and largest_value(matrix[odd]) > 0:
        matrix = _moderate_rows(matrix, odd)
        norms = _norms(matrix)
    inverse = (1.0 / np.maximum(norms, _EPS)).astype(np.float32)
    if sp.issparse(matrix):
        return sp.csr_array(sp.diags_array(inverse) @ matrix)
    return matrix * inverse[:, None]


def _norms(matrix: Any) -> npt.NDArray[np.float64]:
    with np.errstate(over="ignore"):
        squares = matrix.multiply(matrix) if sp.issparse(matrix) else matrix * matrix
        return np.sqrt(np.asarray(squares.sum(axis=1), dtype=np.float64).ravel())


def _moderate_rows(matrix: Any, rows: IntArray) -> Any:
    """The matrix with these rows times powers of two, so that their largest values are about 1."""
    peaks = abs(matrix[rows]).max(axis=1)
    peaks = peaks.toarray().ravel() if sp.issparse(peaks) else peaks
    factors = np.ones(matrix.shape[0])  # in float64, as float32 does not reach all of them
    factors[rows] = np.ldexp(1.0, -np.frexp(peaks)[1])
    if sp.issparse(matrix):
        data = matrix.data * np.repeat(factors, np.diff(matrix.indptr))
        parts = data.astype(np.float32), matrix.indices, matrix.indptr
        return sp.csr_array(parts, shape=matrix.shape)
    return (matrix * factors[:, None]).astype(np.float32)


def _smallest_cosine(
    unit: Any, operator: sp.csr_array, once: Any, device: torch.device, exact: bool
) -> tuple[float, float]:
    """Two limits of the smallest entry of ``x^ y^T``, equal if it is known.

    Where no feature is negative, no entry is below 0, and the search stops at 0.
    """
    values = unit.data if sp.issparse(unit) else unit
    floor = 0.0 if bool((values >= 0).all()) else -1.0
    if floor == 0 and _some_pair_shares_nothing(unit, operator, once):
        return 0.0, 0.0
    rows, columns = _rows_on(device, unit, operator, once)
    if not exact:
        smallest = max(smallest_from_above(rows, columns, STARTS), floor)
        return floor, smallest
    on_share = partial(tell_progress, "influence")
    smallest = max(smallest_product(rows, columns, floor, on_share).value, floor)
    on_share(1.0)  # the search may end early
    return smallest, smallest


def _rows_on(
    device: torch.device, unit: Any, operator: sp.csr_array, once: Any
) -> tuple[Rows, Rows]:
    """The rows ``x^`` and ``y^``; sparse ones become dense, and propagated, block by block."""
    n = unit.shape[0]
    if sp.issparse(unit):
        fetch = partial(_propagated_rows, operator, once)
        return SparseRows(unit.__getitem__, n, device), SparseRows(fetch, n, device)
    propagated = np.concatenate([block for _, block in _propagated(operator, once)])
    left, right = (torch.from_numpy(rows).to(device) for rows in (unit, propagated))
    return DenseRows(left), DenseRows(right)


def _some_pair_shares_nothing(unit: Any, operator: sp.csr_array, once: Any) -> bool:
    """True if the sparsest row of a block of ``y^`` has no feature in common with a row ``x^``."""
    if not sp.issparse(unit) or not sp.issparse(once):
        return False
    for _, block in _propagated(operator, once):
        sparsest = block[[int(np.diff(block.indptr).argmin())]]
        if bool((unit @ sparsest.toarray().ravel() == 0).any()):
            return True
    return False
