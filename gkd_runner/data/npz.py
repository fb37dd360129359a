"""The one on-disk format: a plain ``.npz`` with a CSR adjacency, features, labels and split.

Arrays (the layout that Shchur et al., 2018, made common): ``adj_indptr``, ``adj_indices``,
``adj_shape`` (and optionally ``adj_data``, ignored but for zeros); either ``attr_indptr``,
``attr_indices``, ``attr_data``, ``attr_shape`` (CSR) or ``attr_matrix`` (dense ``[n, d]``);
``labels`` (``[n]``, -1 = unknown); optionally ``train_idx``, ``val_idx``, ``test_idx``. Other
arrays (the published files carry names and metadata as pickled objects) are never read.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.data.checks import check_graph, without_defects
from gkd_runner.data.graph import GraphData, Split
from gkd_runner.errors import DataError

SPLIT_ARRAYS = ("train_idx", "val_idx", "test_idx")

_REQUIRED = ("adj_indptr", "adj_indices", "adj_shape", "labels")
_SPARSE_FEATURES = ("attr_indptr", "attr_indices", "attr_data", "attr_shape")
_DENSE_FEATURES = "attr_matrix"
_KNOWN = (*_REQUIRED, "adj_data", *_SPARSE_FEATURES, _DENSE_FEATURES, *SPLIT_ARRAYS)

# What np.load and the zip reader raise for files that are damaged or of another kind.
_UNREADABLE = (
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: Path, name: str, *, repair: bool = False) -> GraphData:
    """Read and check one graph file.

    With ``repair``, missing reverse edges are added, duplicates merged and self-loops dropped;
    without, each of these is an error. Raises ``DataError`` for anything that is missing,
    malformed or out of range. Never unpickles.
    """
    arrays = _read_arrays(path)
    try:
        adjacency = _csr(arrays, "adj", binary=True)
        features = _features(arrays)
        labels = np.asarray(arrays["labels"])
        split = _split(arrays, path)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: malformed arrays: {error}") from error
    if labels.dtype.kind not in "iu":
        raise DataError(f"{path}: labels must be integers, got dtype {labels.dtype}")
    if repair and adjacency.shape[0] == adjacency.shape[1]:
        adjacency = without_defects(adjacency)
    graph = GraphData(name, adjacency, features, labels.astype(np.int64), split)
    check_graph(graph, str(path))
    return graph


def save_npz(graph: GraphData, path: Path) -> None:
    """Write ``graph`` in the format that ``load_npz`` reads: compressed, and atomically.

    The same graph gives the same bytes. Raises ``OSError`` when ``path`` cannot be written.
    """
    arrays: dict[str, Any] = {
        "adj_indices": graph.adjacency.indices.astype(np.int32),
        "adj_indptr": graph.adjacency.indptr.astype(np.int64),
        "adj_shape": np.asarray(graph.adjacency.shape, dtype=np.int64),
        "labels": graph.labels.astype(np.int64),
    }
    if isinstance(graph.features, np.ndarray):
        arrays[_DENSE_FEATURES] = graph.features.astype(np.float32)
    else:
        arrays |= {
            "attr_data": graph.features.data.astype(np.float32),
            "attr_indices": graph.features.indices.astype(np.int32),
            "attr_indptr": graph.features.indptr.astype(np.int64),
            "attr_shape": np.asarray(graph.features.shape, dtype=np.int64),
        }
    if graph.split is not None:
        ids = (graph.split.train, graph.split.val, graph.split.test)
        arrays |= dict(zip(SPLIT_ARRAYS, ids, strict=True))
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            _require(archive.files, path)
            return {key: archive[key] for key in _KNOWN if key in archive.files}
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: not a readable .npz archive of plain arrays ({error}); object arrays"
            " (pickles) are refused"
        ) from error


def _require(found: list[str], path: Path) -> None:
    features = () if _DENSE_FEATURES in found else _SPARSE_FEATURES
    missing = [key for key in (*_REQUIRED, *features) if key not in found]
    if missing:
        instead = f" (or {_DENSE_FEATURES})" if set(missing) >= set(_SPARSE_FEATURES) else ""
        raise DataError(
            f"{path}: lacks the arrays {', '.join(missing)}{instead};"
            f" found: {', '.join(sorted(found)) or 'nothing'}"
        )


def _csr(arrays: Mapping[str, Any], prefix: str, *, binary: bool) -> sp.csr_array:
    indices, indptr = arrays[f"{prefix}_indices"], arrays[f"{prefix}_indptr"]
    for part in (indices, indptr):
        if part.dtype.kind not in "iu":
            raise TypeError(f"{prefix}_indices and {prefix}_indptr hold {part.dtype}, not integers")
    shape = tuple(int(size) for size in arrays[f"{prefix}_shape"])
    if binary:
        stored = arrays.get(f"{prefix}_data", np.ones(len(indices)))
        data = (np.asarray(stored) != 0).astype(np.float32)
    else:
        data = np.asarray(arrays[f"{prefix}_data"], dtype=np.float32)
    matrix = sp.csr_array((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    if binary:
        matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _features(arrays: Mapping[str, Any]) -> Any:
    if _DENSE_FEATURES in arrays:
        return np.ascontiguousarray(arrays[_DENSE_FEATURES], dtype=np.float32)
    return _csr(arrays, "attr", binary=False)


def _split(arrays: Mapping[str, Any], path: Path) -> Split | None:
    present = [key for key in SPLIT_ARRAYS if key in arrays]
    if not present:
        return None
    if len(present) < len(SPLIT_ARRAYS):
        missing = ", ".join(key for key in SPLIT_ARRAYS if key not in present)
        raise DataError(f"{path}: has {', '.join(present)} but not {missing}; give all or none")
    ids = [np.asarray(arrays[key]) for key in SPLIT_ARRAYS]
    for key, array in zip(SPLIT_ARRAYS, ids, strict=True):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise DataError(f"{path}: {key} must be a vector of node ids, got {array.dtype}"
                            f" of shape {array.shape}")  # fmt: skip
    return Split(*(array.astype(np.int64) for array in ids))
