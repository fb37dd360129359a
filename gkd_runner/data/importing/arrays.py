"""Arrays under the names of other libraries and data sets, from an ``.npz`` file or from memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import Ids, IntArray
from gkd_runner.data.importing.raw import Array, Findings, RawGraph
from gkd_runner.data.importing.splits import read_splits, split_arrays

EDGES = ("edges", "edge_index", "edge_list", "adjacency", "adj", "adj_matrix", "A")
FEATURES = ("features", "node_features", "node_feat", "node_attr", "attr_matrix", "x", "X", "feat")
LABELS = ("labels", "node_labels", "node_label", "label", "y", "targets", "target")
WEIGHTS = ("edge_weight", "edge_weights", "edge_attr", "weight", "w")
NODE_IDS = ("node_ids",)
OTHER_NAMES = ("class_names", "feature_names")
CSR_PARTS = ("indptr", "indices", "data", "shape")

KNOWN = {*EDGES, *FEATURES, *LABELS, *WEIGHTS, *NODE_IDS, *OTHER_NAMES} | {
    f"{prefix}_{part}" for prefix in ("adj", "attr") for part in CSR_PARTS
}


class Ends(NamedTuple):
    """A list of edges ``[m, 2]``, and how many of them have a weight other than 1."""

    edges: IntArray
    weighted: int


def is_read(name: str) -> bool:
    """True if ``from_arrays`` understands an array of this name."""
    return name in KNOWN or bool(split_arrays({name: None}))


def from_arrays(arrays: Mapping[str, Any], where: str, unused: tuple[str, ...] = ()) -> RawGraph:
    """Describe the graph that ``arrays`` hold.

    - edges: ``edges`` ``[m, 2]``, ``edge_index`` ``[2, m]``; or ``adjacency``, ``adj``,
      ``adj_matrix`` ``[n, n]``, SciPy or NumPy; or the parts of a CSR matrix, ``adj_indptr`` ...
    - features: ``features``, ``node_features``, ``x``, ``feat``, ``attr_matrix`` ... ``[n, d]``,
      SciPy or NumPy; or the parts ``attr_indptr`` ...
    - labels: ``labels``, ``node_labels``, ``y`` ...: integers or text
    - splits: see ``split_arrays``; ``node_ids`` ``[n]``; ``class_names`` ``[C]``;
      ``feature_names`` ``[d]``

    Args:
        arrays: NumPy or SciPy arrays by name. Others than those above are listed as unused.
        where: the source in a few words, with which messages begin.
        unused: names of things in the source that are not even among ``arrays``.

    Raises:
        DataError: for a missing role, two arrays for one role, and arrays of the wrong shape.
    """
    roles = _Roles(dict(arrays), where)
    ends = roles.read("edges", EDGES, "adj", _read_edges)
    features = roles.read("features", FEATURES, "attr", lambda _, array: _matrix(array))
    labels = np.asarray(roles.read("labels", LABELS, None, lambda _, array: array))
    nodes = len(labels) if labels.ndim else 0
    splits = read_splits(arrays, nodes, where)
    weights = [name for name in WEIGHTS if name in arrays and _is_of(arrays[name], ends.edges)]
    weighted = ends.weighted + max((_weighted(arrays[name]) for name in weights), default=0)
    others = {name for name in WEIGHTS if name in arrays and name not in weights}
    rest = [name for name in arrays if name in others or not is_read(name)]
    findings = Findings(
        taken=roles.taken,
        unused=(*rest, *unused),
        weighted=weighted,
        shared_parts=splits.shared_parts,
    )
    return RawGraph(
        where,
        ends.edges,
        features,
        labels,
        splits.splits,
        _node_ids(arrays, nodes, where),
        _texts(arrays, "class_names"),
        _texts(arrays, "feature_names"),
        findings,
    )


class _Roles:
    """Finds the array of each role, and remembers its name."""

    def __init__(self, arrays: dict[str, Any], where: str) -> None:
        self._where = where
        self._arrays = arrays
        self.taken: dict[str, str] = {}

    def read(
        self,
        role: str,
        names: tuple[str, ...],
        parts: str | None,
        reader: Callable[[str, Any], Any],
    ) -> Any:
        arrays = self._arrays
        present = [name for name in names if name in arrays]
        if parts and f"{parts}_indptr" in arrays:
            present.append(f"{parts}_indptr")
        if len(present) > 1:
            raise DataError(
                f"{self._where}: {' and '.join(present)} both stand for the {role}; keep one"
            )
        if not present:
            found = ", ".join(sorted(arrays)) or "nothing"
            raise DataError(
                f"{self._where}: no {role}; they are looked for as {', '.join(names[:4])}, ...;"
                f" found: {found}"
            )
        [name] = present
        try:
            if parts and name == f"{parts}_indptr":
                value, self.taken[role] = _from_parts(arrays, parts), f"{parts}_indptr, ..."
            else:
                value, self.taken[role] = arrays[name], name
            return reader(name, value)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{self._where}: malformed {role} ({name}): {error}") from error


def _from_parts(arrays: Mapping[str, Any], prefix: str) -> sp.csr_array:
    indices, indptr = arrays[f"{prefix}_indices"], arrays[f"{prefix}_indptr"]
    data = arrays.get(f"{prefix}_data", np.ones(len(indices), dtype=np.float32))
    shape = tuple(int(size) for size in arrays[f"{prefix}_shape"])
    matrix = sp.csr_array((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    return matrix


def _read_edges(name: str, array: Any) -> Ends:
    """Edges from a list of pairs or from an adjacency matrix, whose zeros are no edges."""
    if not sp.issparse(array) and name in ("edges", "edge_index", "edge_list"):
        return Ends(_pairs(name, np.asarray(array)), 0)
    matrix = sp.coo_array(_matrix(array))
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"an adjacency matrix is square, but this one is {matrix.shape}")
    if bad := int((~np.isfinite(matrix.data)).sum()):
        raise ValueError(f"{bad} entries of the adjacency matrix are NaN or infinite")
    real = matrix.data != 0
    pairs = np.stack([matrix.coords[0][real], matrix.coords[1][real]], axis=1)
    return Ends(pairs.astype(np.int64), int((matrix.data[real] != 1).sum()))


def _pairs(name: str, array: Array) -> IntArray:
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array % 1 == 0).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 2 or 2 not in array.shape:
        raise ValueError(
            f"a list of edges is [m, 2] or [2, m] integers, got {array.dtype} of shape"
            f" {array.shape}"
        )
    across = array.shape[1] != 2 or (name == "edge_index" and array.shape[0] == 2)
    return np.ascontiguousarray(array.T if across else array, dtype=np.int64)


def _matrix(array: Any) -> Any:
    """A 2-D SciPy or NumPy array of numbers."""
    matrix = array if sp.issparse(array) else np.asarray(array)
    if matrix.ndim != 2 or matrix.dtype.kind not in "biuf":
        raise ValueError(f"a matrix of numbers is needed, got {matrix.dtype} {matrix.shape}")
    return matrix.astype(np.float32) if matrix.dtype.kind == "b" else matrix


def _is_of(weights: Any, edges: Array) -> bool:
    """True if there is a weight for each edge; others are of nodes, say, whatever their name."""
    values = np.asarray(weights)
    return values.ndim > 0 and len(values) == len(edges)


def _weighted(weights: Any) -> int:
    """The number of weights other than 1; edge features of several columns count as one each."""
    values = np.asarray(weights)
    rows = (values != 1) if values.ndim == 1 else (values != 1).reshape(len(values), -1).any(axis=1)
    return int(rows.sum())


def _texts(arrays: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(map(str, np.asarray(arrays.get(name, ())).tolist()))


def _node_ids(arrays: Mapping[str, Any], nodes: int, where: str) -> Ids | None:
    if "node_ids" not in arrays:
        return None
    ids = np.asarray(arrays["node_ids"])
    if ids.dtype.kind == "O":
        ids = np.array([str(value) for value in ids.ravel()], dtype=np.str_)
    if ids.shape != (nodes,) or ids.dtype.kind not in "iuU":
        raise DataError(
            f"{where}: node_ids must be {nodes} integers or texts, got {ids.dtype} of shape"
            f" {ids.shape}"
        )
    return ids
