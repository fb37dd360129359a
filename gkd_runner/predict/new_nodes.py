"""The input features of nodes that were not in the graph: exact, or cheaply from a stored table.

This file needs NumPy and SciPy alone. A copy of it lies in every folder of an exported student.

A student on propagated features reads ``h_v = pool_{p=0..P} (S^p X)_v`` with the normalised
adjacency ``S = D^-1/2 (A + s I) D^-1/2``, where ``D`` holds the row sums of the bracket.

``exact_features`` computes it on the graph with the new nodes and their edges added, from the nodes
that are at most ``P`` edges away.

``cheap_features`` reads only the new nodes' direct neighbours, and of these the stored ``h_j``.
With the mean over hops, write ``m_p = mean(X, S X, ..., S^p X)``. Then ``m_0 = X`` and

    m_p = (X + p S m_{p-1}) / (p + 1),    h = m_P.

For new nodes the recursion is carried out as it stands. For their known neighbours, ``m_{p-1}`` is
replaced by the stored ``h_j``. This leaves out that ``m_{p-1}`` pools fewer hops than ``h_j``, and
that the new node changes its neighbours' own features. The degrees in ``S`` are those with the new
edges. With max (min) over hops the recursion is ``m_p = max(X, S m_{p-1})``. It tends to be too
large (too small), since a sum of maxima is at least the maximum of the sums.

On Cora with ``P = 2`` and ``s = 2`` the cheap features of a node differ from the exact ones by 7%
of their norm, and the raw ones by 67% (mean over 12 random nodes). A node without neighbours has
``h_v = x_v`` in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

Array = Any
"""A NumPy array, or where it says so a SciPy CSR array."""


@dataclass(frozen=True)
class Recipe:
    """``P`` (hops), ``s`` (self_loops) and the pooling (mean, max, min) of the formulas above."""

    hops: int
    self_loops: float
    pooling: str


@dataclass(frozen=True, eq=False)
class Links:
    """Edges of ``k`` new nodes, which are numbered ``n`` to ``n + k - 1`` after ``n`` known ones.

    ``known`` ``[k, n]`` CSR has ones at their known neighbours, ``new`` ``[k, k]`` CSR at the
    neighbours among themselves (symmetric, without self-loops).
    """

    known: Array
    new: Array

    @staticmethod
    def of(edges: Array, n: int, k: int) -> Links:
        """From ``[e, 2]`` pairs of nodes, in any direction; repeated ones and loops are dropped.

        Each pair must have at least one new node.
        """
        edges = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
        edges = edges[edges[:, 0] != edges[:, 1]]
        both = np.concatenate([edges, edges[:, ::-1]])
        both = np.unique(both[both[:, 0] >= n], axis=0)
        ones = np.ones(len(both), dtype=np.float32)
        matrix = sp.csr_array((ones, (both[:, 0] - n, both[:, 1])), shape=(k, n + k))
        return Links(matrix[:, :n], matrix[:, n:])

    @property
    def degrees(self) -> Array:
        """Neighbours of each new node ``[k]``."""
        return self.known.sum(axis=1) + self.new.sum(axis=1)

    @property
    def added(self) -> Array:
        """New neighbours of each known node ``[n]``."""
        return np.bincount(self.known.indices, minlength=self.known.shape[1])


def row_normalized(x: Array) -> Array:
    """Each row of ``x`` (dense or CSR) divided by its sum; rows that sum to 0 become 0."""
    sums = np.asarray(x.sum(axis=1), dtype=np.float32).ravel()
    inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums != 0)
    if sp.issparse(x):
        return sp.csr_array(sp.diags_array(inverse, dtype=np.float32) @ x)
    return np.asarray(x * inverse[:, None], dtype=np.float32)


def exact_features(adjacency: Array, known: Array, new: Array, links: Links, how: Recipe) -> Array:
    """The features ``[k, d]`` of the new nodes on the graph with them added.

    Args:
        adjacency: ``[n, n]`` CSR of ones, symmetric, without self-loops.
        known: raw features ``[n, d]`` of the known nodes, dense or CSR.
        new: raw features ``[k, d]`` of the new nodes.
        links: the edges of the new nodes.
        how: the propagation.
    """
    near = _within(adjacency, np.unique(links.known.indices), how.hops)
    ties = links.known[:, near]
    graph = sp.block_array([[adjacency[near][:, near], ties.T], [ties, links.new]], format="csr")
    degrees = np.concatenate([(np.diff(adjacency.indptr) + links.added)[near], links.degrees])
    root = 1.0 / np.sqrt(degrees + how.self_loops)
    looped = graph + how.self_loops * sp.eye_array(len(degrees), format="csr")
    operator = sp.diags_array(root) @ looped @ sp.diags_array(root)
    here = _stacked(known[near], new)
    weights = sp.eye_array(len(degrees), format="csr")[len(near) :]
    hops = [weights]
    for _ in range(how.hops):
        hops.append(hops[-1] @ operator)
    if how.pooling == "mean":
        return _dense(sum(hops) / len(hops) @ here)
    pool = np.maximum if how.pooling == "max" else np.minimum
    return pool.reduce([_dense(hop @ here) for hop in hops])


def cheap_features(degrees: Array, table: Array, new: Array, links: Links, how: Recipe) -> Array:
    """The features ``[k, d]`` of the new nodes from the stored ones of their neighbours.

    Args:
        degrees: neighbours of each known node ``[n]``, without the new ones.
        table: stored propagated features ``[n, d]`` of the known nodes.
        new: raw features ``[k, d]`` of the new nodes.
        links: the edges of the new nodes.
        how: the propagation.
    """
    read = np.unique(links.known.indices)
    own = 1.0 / np.sqrt(links.degrees + how.self_loops)
    theirs = 1.0 / np.sqrt((degrees + links.added)[read] + how.self_loops)
    to_known = sp.diags_array(own) @ links.known[:, read] @ sp.diags_array(theirs)
    among = links.new + how.self_loops * sp.eye_array(len(own), format="csr")
    among = sp.diags_array(own) @ among @ sp.diags_array(own)
    constant = to_known @ np.asarray(table[read], dtype=np.float32)
    x = _dense(new)
    pooled = x
    for hop in range(1, how.hops + 1):
        spread = constant + among @ pooled
        if how.pooling == "mean":
            pooled = (x + hop * spread) / (hop + 1)
        else:
            pooled = (np.maximum if how.pooling == "max" else np.minimum)(x, spread)
    return pooled.astype(np.float32)


def _within(adjacency: Array, nodes: Array, hops: int) -> Array:
    """Sorted known nodes at most ``hops`` edges from a new one; ``nodes`` are its neighbours."""
    for _ in range(hops - 1):
        nodes = np.union1d(nodes, adjacency[nodes].indices)
    return nodes


def _stacked(known: Array, new: Array) -> Array:
    if sp.issparse(known) and sp.issparse(new):
        return sp.vstack([known, new], format="csr")
    return np.concatenate([_dense(known), _dense(new)])


def _dense(x: Array) -> Array:
    return np.asarray(x.toarray() if sp.issparse(x) else x, dtype=np.float32)
