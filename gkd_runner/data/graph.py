"""A graph in memory: adjacency, features, labels and an optional split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.lazy import sp

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Ids = npt.NDArray[Any]
"""int64 or text (beartype takes no text for ``NDArray[np.str_]``, as the width is not given)."""

UNKNOWN_LABEL = -1

_PIECE = 2**22  # values


@dataclass(frozen=True, eq=False)
class Split:
    """Node ids for training, validation and test: disjoint, each ``[k]`` int64."""

    train: IntArray
    val: IntArray
    test: IntArray

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the three index arrays."""
        return hash_arrays({"train": self.train, "val": self.val, "test": self.test})


@dataclass(frozen=True, eq=False)
class GraphData:
    """An undirected graph with node features and labels.

    ``adjacency`` is ``[n, n]`` CSR float32 with ones, symmetric, without self-loops or
    duplicates; ``features`` is ``[n, d]`` float32, CSR if the file stores CSR, else dense,
    or a read-only map of the file (``is_mapped``); ``labels`` is ``[n]`` int64, -1 where unknown.
    ``splits`` are the graph's own, if it has any.

    ``node_ids`` ``[n]`` are the ids of the nodes in their source, integers or text; ``None`` if
    these are 0 to n - 1. ``class_names`` are the names of classes 0, 1, and so on; empty if the
    classes have none, and ``feature_names`` those of the columns of ``features``. All three are
    for people and files: no result depends on them, but for the rows and columns of a precomputed
    teacher's file, which are found by them.
    """

    name: str
    adjacency: sp.csr_array
    features: sp.csr_array | FloatArray
    labels: IntArray
    splits: tuple[Split, ...] = ()
    node_ids: Ids | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()

    @property
    def num_nodes(self) -> int:
        return int(self.labels.shape[0])

    @property
    def num_edges(self) -> int:
        """Number of stored directed edges; an undirected edge counts twice."""
        return int(self.adjacency.nnz)

    @property
    def num_features(self) -> int:
        return int(self.features.shape[1])

    @cached_property
    def num_classes(self) -> int:
        return int(self.labels.max()) + 1

    @property
    def ids(self) -> Ids:
        """The id of each node in its source ``[n]``."""
        return np.arange(self.num_nodes) if self.node_ids is None else self.node_ids

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each class: its number, if it has no other."""
        return self.class_names or tuple(map(str, range(self.num_classes)))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all arrays that a result depends on: of none of the names and ids."""
        arrays = {
            "adj_indptr": self.adjacency.indptr,
            "adj_indices": self.adjacency.indices,
            "labels": self.labels,
        }
        if not isinstance(self.features, np.ndarray):
            arrays |= {
                "attr_indptr": self.features.indptr,
                "attr_indices": self.features.indices,
                "attr_data": self.features.data,
                "attr_shape": np.asarray(self.features.shape),
            }
        else:
            arrays["attr_matrix"] = self.features
        for number, split in enumerate(self.splits):
            mark = f"_{number}" if len(self.splits) > 1 else ""
            parts = {"train": split.train, "val": split.val, "test": split.test}
            arrays |= {f"{part}{mark}": ids for part, ids in parts.items()}
        return hash_arrays(arrays)

    @cached_property
    def names_fingerprint(self) -> str:
        """SHA-256 of what ``fingerprint`` leaves out: the names and ids."""
        names = {"class_names": self.class_names, "feature_names": self.feature_names}
        texts = {key: np.array(value, dtype=np.str_) for key, value in names.items()}
        return hash_arrays({"node_ids": self.ids, **texts})

    def subgraph(self, nodes: IntArray) -> GraphData:
        """The induced subgraph on ``nodes`` (ids, ``[m]``), renumbered 0..m-1 in that order."""
        position = np.full(self.num_nodes, -1, dtype=np.int64)
        position[nodes] = np.arange(len(nodes))

        def kept(ids: IntArray) -> IntArray:
            moved = position[ids]
            return np.sort(moved[moved >= 0])

        adjacency = self.adjacency[nodes][:, nodes]
        adjacency.sort_indices()
        return replace(
            self,
            adjacency=adjacency,
            features=self.features[nodes],
            labels=self.labels[nodes],
            splits=tuple(Split(kept(s.train), kept(s.val), kept(s.test)) for s in self.splits),
            node_ids=self.ids[nodes],
        )


def canonical(graph: GraphData) -> GraphData:
    """The graph as it would be read from a file, so that both have one fingerprint.

    Column indices of CSR matrices are sorted, and so are the ids in each of several splits.
    """
    features = graph.features
    if not isinstance(features, np.ndarray):
        features = features.sorted_indices()
    splits = graph.splits
    if len(splits) > 1:
        splits = tuple(Split(*map(np.sort, (s.train, s.val, s.test))) for s in splits)
    adjacency = graph.adjacency.sorted_indices()
    return replace(graph, adjacency=adjacency, features=features, splits=splits)


def hash_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 of names, shapes and values; integers of any width are hashed as int64."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        if array.dtype.kind in "iu":
            array = array.astype(np.int64, copy=False)
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.data)
    return digest.hexdigest()


def is_mapped(features: sp.csr_array | FloatArray) -> bool:
    """True for dense features that lie in a file, whose rows are read when they are used."""
    return isinstance(features, np.ndarray) and not features.flags.writeable


def in_pieces(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Consecutive rows of ``array``, so that what is computed of a mapped one stays small."""
    rows = max(1, _PIECE * len(array) // max(1, array.size))
    return (array[start : start + rows] for start in range(0, len(array), rows))


def largest_value(features: sp.csr_array | FloatArray) -> float:
    """The largest magnitude of all values; 0 without any."""
    values = features if isinstance(features, np.ndarray) else features.data
    pieces = (piece for piece in in_pieces(values) if piece.size)
    return max((float(max(piece.max(), -piece.min())) for piece in pieces), default=0.0)
