"""The one canonical form of a graph, whatever its source."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from gkd_runner.common.arrays import sorted_unique
from gkd_runner.common.errors import DataError
from gkd_runner.data.checks import check_graph
from gkd_runner.data.graph import (
    UNKNOWN_LABEL,
    FloatArray,
    GraphData,
    Ids,
    IntArray,
    Split,
    in_pieces,
    is_mapped,
)
from gkd_runner.data.importing.classes import read_classes
from gkd_runner.data.importing.raw import Array, Imported, RawGraph


class Edges(NamedTuple):
    """A canonical adjacency, and what was found in the list of edges."""

    adjacency: sp.csr_array
    self_loops: int
    repeated: int
    two_way: int
    one_way: int


def assemble(raw: RawGraph, name: str) -> Imported:
    """Bring a described graph into canonical form, in the order of its nodes.

    The adjacency is symmetric, with ones, sorted, without repetitions and self-loops. Features
    are float32 without stored zeros, CSR if fewer than half of the values are nonzero and dense
    otherwise. Labels are 0 to C - 1 (see ``read_classes``). Splits hold sorted ids, without nodes
    that have no label. Node ids 0 to n - 1 are not stored.

    Raises:
        DataError: if no graph to train on comes out, with every problem.
    """
    nodes = len(raw.labels)
    _check_shapes(raw, nodes)
    edges = canonical_edges(raw.edges, nodes)
    labels, class_names = read_classes(np.asarray(raw.labels), raw.class_names, raw.where)
    features = canonical_features(raw.features, raw.where)
    splits = tuple(_labelled(split, labels) for split in raw.splits)
    ids = _kept_ids(raw.node_ids)
    names = (class_names, raw.feature_names)
    graph = GraphData(name, edges.adjacency, features, labels, splits, ids, *names)
    check_graph(graph, raw.where)
    findings = replace(
        raw.findings,
        self_loops=edges.self_loops,
        repeated=edges.repeated,
        two_way=edges.two_way,
        one_way=edges.one_way,
        unlabelled=int((labels == UNKNOWN_LABEL).sum()),
        featureless=_featureless(features),
        isolated=int((np.diff(edges.adjacency.indptr) == 0).sum()),
        unsplit=_total(raw.splits) - _total(splits),
    )
    return Imported(graph, findings)


def canonical_edges(edges: IntArray, nodes: int) -> Edges:
    """The undirected graph of ``edges`` (``[m, 2]``, in any direction and order)."""
    ends = edges.astype(np.int64, copy=False)
    proper = ends[ends[:, 0] != ends[:, 1]]
    listed = sorted_unique(proper[:, 0] * nodes + proper[:, 1])
    row, column = np.divmod(listed, nodes)
    pairs = sorted_unique(np.minimum(row, column) * nodes + np.maximum(row, column))
    low, high = np.divmod(pairs, nodes)
    ones = np.ones(2 * len(pairs), dtype=np.float32)
    both = (np.concatenate([low, high]), np.concatenate([high, low]))
    adjacency = sp.csr_array((ones, both), shape=(nodes, nodes))
    adjacency.sort_indices()
    two_way = len(listed) - len(pairs)
    return Edges(
        adjacency,
        self_loops=len(ends) - len(proper),
        repeated=len(proper) - len(listed),
        two_way=two_way,
        one_way=len(pairs) - two_way,
    )


def canonical_features(features: Array | sp.csr_array, where: str) -> sp.csr_array | FloatArray:
    """``[n, d]`` float32: the smaller of CSR and dense, which is CSR below a density of 1/2."""
    if features.dtype.kind not in "biuf":
        raise DataError(f"{where}: the features must be numbers, got dtype {features.dtype}")
    if sp.issparse(features):
        matrix = sp.csr_array(features)
        nonzero = np.count_nonzero(matrix.data)
    else:
        matrix = np.asarray(features)
        nonzero = np.count_nonzero(matrix)
    with np.errstate(over="ignore"):  # an infinite value is refused with the other checks
        if 2 * nonzero >= matrix.shape[0] * matrix.shape[1]:
            dense = matrix.toarray() if sp.issparse(matrix) else matrix
            dense = np.ascontiguousarray(dense, dtype=np.float32)
            kept = is_mapped(dense) and not any(map(_has_negative_zeros, in_pieces(dense)))
            return dense if kept else dense + np.float32(0)  # -0.0 becomes 0.0
        sparse = sp.csr_array(matrix, dtype=np.float32)
    sparse.sum_duplicates()
    sparse.eliminate_zeros()
    return sparse


def _has_negative_zeros(values: FloatArray) -> bool:
    return bool((np.signbit(values) & (values == 0)).any())


def _featureless(features: sp.csr_array | FloatArray) -> int:
    if not isinstance(features, np.ndarray):
        return int((np.diff(features.indptr) == 0).sum())  # it stores no zeros
    return sum(int((~part.any(axis=1)).sum()) for part in in_pieces(features))


def _check_shapes(raw: RawGraph, nodes: int) -> None:
    if raw.features.ndim != 2 or raw.features.shape[0] != nodes:
        raise DataError(
            f"{raw.where}: the features have shape {raw.features.shape}, but there are {nodes}"
            " labels; give one row per node"
        )
    outside = raw.edges[(raw.edges < 0) | (raw.edges >= nodes)]
    if len(outside):
        raise DataError(
            f"{raw.where}: an edge ends at node {outside[0]}, but there are {nodes} labels, so"
            f" nodes are 0 to {nodes - 1}"
        )


def _labelled(split: Split, labels: IntArray) -> Split:
    """The split without nodes that have no label; ids out of range stay, to be refused."""
    parts = (split.train, split.val, split.test)
    inside = [np.clip(ids, 0, len(labels) - 1) for ids in parts]
    return Split(
        *(
            np.sort(ids[labels[where] != UNKNOWN_LABEL])
            for ids, where in zip(parts, inside, strict=True)
        )
    )


def _total(splits: tuple[Split, ...]) -> int:
    return sum(len(ids) for split in splits for ids in (split.train, split.val, split.test))


def _kept_ids(ids: Ids | None) -> Ids | None:
    if ids is None or (ids.dtype.kind in "iu" and np.array_equal(ids, np.arange(len(ids)))):
        return None
    return ids.astype(np.int64) if ids.dtype.kind in "iu" else ids
