"""The receptive field of a graph neural network: the nodes that each of its layers reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gkd_runner.common.lazy import sp
from gkd_runner.data.graph import IntArray


@dataclass(frozen=True, eq=False)
class Field:
    """The nodes that a network of ``L`` layers reads to answer for ``rows[L]``.

    ``rows[k]`` holds the ids of the nodes whose representation after ``k`` layers is needed, so
    ``rows[0]`` are those whose features are. All but the last are sorted.
    """

    rows: tuple[IntArray, ...]

    def block(self, matrix: sp.csr_array, layer: int) -> sp.csr_array:
        """The rows and columns of ``matrix`` that layer ``layer`` (from 1) reads."""
        block = sp.csr_array(matrix[self.rows[layer]][:, self.rows[layer - 1]])
        block.sort_indices()
        return block

    def own(self, layer: int) -> IntArray:
        """The positions of the nodes ``rows[layer]`` in ``rows[layer - 1]``."""
        return np.searchsorted(self.rows[layer - 1], self.rows[layer])


def receptive_field(adjacency: sp.csr_array, nodes: IntArray, layers: int) -> Field:
    """The nodes within ``layers`` steps of ``nodes``, layer by layer; every node reads itself."""
    rows = [np.asarray(nodes)]
    for _ in range(layers):
        rows.append(np.union1d(rows[-1], adjacency[rows[-1]].indices))
    return Field(tuple(reversed(rows)))
