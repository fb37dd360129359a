"""The receptive field of a graph neural network: the nodes that each of its layers reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gkd_runner.common.lazy import sp
from gkd_runner.data.graph import IntArray


@dataclass(frozen=True, eq=False)
class Field:
    """The nodes that a network of ``L`` layers reads to answer for ``rows[L]``, and its operator.

    ``rows[k]`` holds the ids of the nodes whose representation after ``k`` layers is needed, so
    ``rows[0]`` are those whose features are. Layer ``k`` (from 1) aggregates by ``blocks[k - 1]``,
    ``[len(rows[k]), len(rows[k - 1])]``; ``own[k - 1]`` has the positions of the nodes ``rows[k]``
    in ``rows[k - 1]``.
    """

    rows: tuple[IntArray, ...]
    blocks: tuple[sp.csr_array, ...]
    own: tuple[IntArray, ...]


def receptive_field(operator: sp.csr_array, nodes: IntArray, layers: int) -> Field:
    """The nodes within ``layers`` steps of ``nodes``, layer by layer; every node reads itself.

    All ``rows`` but the last are sorted.
    """
    rows = [np.asarray(nodes)]
    for _ in range(layers):
        rows.append(np.union1d(rows[-1], operator[rows[-1]].indices))
    rows.reverse()
    blocks, own = [], []
    for sources, targets in pairwise(rows):
        block = sp.csr_array(operator[targets][:, sources])
        block.sort_indices()
        blocks.append(block)
        own.append(np.searchsorted(sources, targets))
    return Field(tuple(rows), tuple(blocks), tuple(own))
