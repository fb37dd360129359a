"""Read and write graph files: ``.npz`` with a CSR adjacency, features, labels and a split.

The layout is that of Shchur et al. (2018): ``adj_indptr``, ``adj_indices``, ``adj_shape`` (and
optionally ``adj_data``, whose zeros mean that there is no edge); either ``attr_indptr``,
``attr_indices``, ``attr_data``, ``attr_shape`` (CSR) or ``attr_matrix`` (dense ``[n, d]``);
``labels`` (``[n]``, -1 = unknown). Optional are ``train_idx``, ``val_idx``, ``test_idx``, or for
several splits ``train_masks``, ``val_masks``, ``test_masks`` (``[s, n]`` bool); ``node_ids``
(``[n]``, integers or text) and ``class_names`` (text). Other arrays are never read; in the
published files, some of them hold pickled objects.
"""

from __future__ import annotations

import logging
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.common.files import replacing
from gkd_runner.data.checks import check_graph, without_defects
from gkd_runner.data.graph import FloatArray, GraphData, IntArray, Split

SPLIT_ARRAYS = ("train_idx", "val_idx", "test_idx")
MASK_ARRAYS = ("train_masks", "val_masks", "test_masks")
NAME_ARRAYS = ("node_ids", "class_names")

_REQUIRED = ("adj_indptr", "adj_indices", "adj_shape", "labels")
_SPARSE_FEATURES = ("attr_indptr", "attr_indices", "attr_data", "attr_shape")
_DENSE_FEATURES = "attr_matrix"
_KNOWN = (*_REQUIRED, "adj_data", *_SPARSE_FEATURES, _DENSE_FEATURES, *SPLIT_ARRAYS, *MASK_ARRAYS)

logger = logging.getLogger("gkd_runner")

_WRITER = "gkd_runner.data.npz.save_npz writes valid graph files"
_NPY_MAGIC = b"\x93NUMPY"

# np.load and zipfile raise these for archives that are damaged or of another kind.
_UNREADABLE = (
    ValueError,
    TypeError,
    OSError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: Path, name: str, *, repair: bool = False) -> GraphData:
    """Read and check one graph file.

    With ``repair``, missing reverse edges are added, duplicates merged and self-loops dropped;
    without, each of these is an error. Raises ``DataError`` for anything that is missing,
    malformed or out of range. Pickled objects are never loaded.
    """
    graph = read_npz(path, name, repair=repair)
    check_graph(graph, str(path))
    return graph


def read_npz(path: Path, name: str, *, repair: bool = False) -> GraphData:
    """Read one graph file as ``load_npz`` does, without checking the graph."""
    arrays = _read_arrays(path)
    try:
        adjacency = _csr(arrays, "adj", binary=True)
        features = _features(arrays)
        labels = _labels(arrays["labels"])
        splits = _splits(arrays, path)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: malformed arrays: {error}") from error
    if repair and adjacency.shape[0] == adjacency.shape[1]:
        adjacency = without_defects(adjacency)
    names = arrays.get("class_names", ())
    return GraphData(
        name, adjacency, features, labels, splits, arrays.get("node_ids"), tuple(map(str, names))
    )


def save_npz(graph: GraphData, path: Path) -> None:
    """Write ``graph`` atomically to a compressed file that ``load_npz`` reads.

    Equal graphs give equal bytes. Raises ``OSError`` when ``path`` cannot be written, and
    ``DataError`` for labels that are not integers or features that float32 cannot hold.

    A graph of four nodes, for ``gkd-train dataset=custom dataset.path=mine.npz``:

    >>> from pathlib import Path
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from gkd_runner.data.graph import GraphData
    >>> from gkd_runner.data.npz import save_npz
    >>> edges = np.array([[0, 1], [1, 2], [2, 3]])
    >>> row, col = np.concatenate([edges, edges[:, ::-1]]).T  # each edge in both directions
    >>> ones = np.ones(len(row), dtype=np.float32)
    >>> adjacency = sp.csr_array((ones, (row, col)), shape=(4, 4))
    >>> features = np.eye(4, dtype=np.float32)  # one row per node; a sp.csr_array works too
    >>> labels = np.array([0, 0, 1, 1])  # classes are numbered from 0; -1 means unknown
    >>> save_npz(GraphData("mine", adjacency, features, labels), Path("mine.npz"))
    """
    try:
        arrays = _arrays_of(graph)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: not written: {error}") from error
    with replacing(path) as part, part.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _arrays_of(graph: GraphData) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "adj_indices": graph.adjacency.indices.astype(np.int32),
        "adj_indptr": graph.adjacency.indptr.astype(np.int64),
        "adj_shape": np.asarray(graph.adjacency.shape, dtype=np.int64),
        "labels": _labels(graph.labels),
    }
    if isinstance(graph.features, np.ndarray):
        arrays[_DENSE_FEATURES] = _float32(graph.features, "features")
    else:
        arrays |= {
            "attr_data": _float32(graph.features.data, "features"),
            "attr_indices": graph.features.indices.astype(np.int32),
            "attr_indptr": graph.features.indptr.astype(np.int64),
            "attr_shape": np.asarray(graph.features.shape, dtype=np.int64),
        }
    parts = [(split.train, split.val, split.test) for split in graph.splits]
    if len(parts) == 1:
        arrays |= dict(zip(SPLIT_ARRAYS, parts[0], strict=True))
    elif parts:
        masks = np.zeros((len(MASK_ARRAYS), len(parts), graph.num_nodes), dtype=bool)
        for number, split in enumerate(parts):
            for part, ids in enumerate(split):
                masks[part, number, ids] = True
        arrays |= dict(zip(MASK_ARRAYS, masks, strict=True))
    if graph.node_ids is not None:
        arrays["node_ids"] = graph.node_ids
    if graph.class_names:
        arrays["class_names"] = np.array(graph.class_names)
    return arrays


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    _check_kind(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            _require(archive.files, path)
            found = {key: _member(archive, key, path) for key in _KNOWN if key in archive.files}
            return found | _names(archive, path)
    except _UNREADABLE as error:
        raise DataError(f"{path}: a damaged .npz archive; {_WRITER}") from error


def _check_kind(path: Path) -> None:
    """Raise unless ``path`` is a zip file, as every ``.npz`` is."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name the .npz file of a graph")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_NPY_MAGIC))
            if start[:2] == b"PK" and zipfile.is_zipfile(stream):
                return
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    kind = "a single array (.npy)" if start == _NPY_MAGIC else "not a complete .npz archive"
    raise DataError(
        f"{path}: {kind}, so not a graph file, which is an .npz of several arrays; {_WRITER}"
    )


def _member(archive: Any, key: str, path: Path) -> npt.NDArray[Any]:
    try:
        array = archive[key]
    except _UNREADABLE as error:
        raise _unreadable(path, key) from error
    if not isinstance(array, np.ndarray):  # NumPy returns bytes for other members
        raise _unreadable(path, key)
    return array


def _names(archive: Any, path: Path) -> dict[str, npt.NDArray[Any]]:
    """Node ids and class names, unless they are pickled objects, as in some published files."""
    names = {}
    for key in NAME_ARRAYS:
        if key in archive.files:
            try:
                array = _member(archive, key, path)
            except DataError:
                logger.warning("%s: %s holds Python objects and is not read", path, key)
            else:
                if array.ndim != 1 or array.dtype.kind not in "iuU":
                    raise DataError(
                        f"{path}: {key} must be a vector of integers or text, got {array.dtype} of"
                        f" shape {array.shape}"
                    )
                names[key] = array.astype(np.int64) if array.dtype.kind in "iu" else array
    return names


def _unreadable(path: Path, key: str) -> DataError:
    return DataError(
        f"{path}: the array {key} is damaged or holds Python objects (pickles), which are refused;"
        " store numbers only"
    )


def _require(keys: list[str], path: Path) -> None:
    features = () if _DENSE_FEATURES in keys else _SPARSE_FEATURES
    missing = [key for key in (*_REQUIRED, *features) if key not in keys]
    if missing:
        instead = f" (or {_DENSE_FEATURES})" if set(missing) >= set(_SPARSE_FEATURES) else ""
        raise DataError(
            f"{path}: lacks the arrays {', '.join(missing)}{instead};"
            f" found: {', '.join(sorted(keys)) or 'nothing'}"
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
        data = _float32(arrays[f"{prefix}_data"], f"{prefix}_data")
    matrix = sp.csr_array((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    if binary:
        matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _features(arrays: Mapping[str, Any]) -> Any:
    if _DENSE_FEATURES in arrays:
        return _float32(arrays[_DENSE_FEATURES], _DENSE_FEATURES)
    return _csr(arrays, "attr", binary=False)


def _float32(values: npt.NDArray[Any], name: str) -> FloatArray:
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, got dtype {values.dtype}")
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(values, dtype=np.float32)
    except FloatingPointError:
        raise ValueError(
            f"{name} holds values beyond the range of float32"
            f" ({np.finfo(np.float32).max:.1e}); rescale them"
        ) from None


def _labels(values: npt.NDArray[Any]) -> IntArray:
    if values.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be integers, got dtype {values.dtype}; map the classes to 0, 1, 2, ...,"
            " for example by np.unique(labels, return_inverse=True)[1]"
        )
    return values.astype(np.int64)


def _splits(arrays: Mapping[str, Any], path: Path) -> tuple[Split, ...]:
    present = [key for key in SPLIT_ARRAYS if key in arrays]
    masks = [key for key in MASK_ARRAYS if key in arrays]
    if present and masks:
        raise DataError(f"{path}: has {present[0]} and {masks[0]}; give one kind of split")
    if masks:
        return _masked(arrays, masks, path)
    if not present:
        return ()
    if len(present) < len(SPLIT_ARRAYS):
        missing = ", ".join(key for key in SPLIT_ARRAYS if key not in present)
        raise DataError(f"{path}: has {', '.join(present)} but not {missing}; give all or none")
    ids = [np.asarray(arrays[key]) for key in SPLIT_ARRAYS]
    for key, array in zip(SPLIT_ARRAYS, ids, strict=True):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            hint = "; turn a mask into ids by np.flatnonzero(mask)" if array.dtype == bool else ""
            raise DataError(
                f"{path}: {key} must be a vector of node ids, got {array.dtype}"
                f" of shape {array.shape}{hint}"
            )
    return (Split(*(array.astype(np.int64) for array in ids)),)


def _masked(arrays: Mapping[str, Any], present: list[str], path: Path) -> tuple[Split, ...]:
    if len(present) < len(MASK_ARRAYS):
        missing = ", ".join(key for key in MASK_ARRAYS if key not in present)
        raise DataError(f"{path}: has {', '.join(present)} but not {missing}; give all or none")
    nodes = len(arrays["labels"])
    shapes = {arrays[key].shape for key in MASK_ARRAYS}
    if any(arrays[key].dtype != bool for key in MASK_ARRAYS) or shapes != {
        (len(arrays[MASK_ARRAYS[0]]), nodes)
    }:
        raise DataError(
            f"{path}: {', '.join(MASK_ARRAYS)} must be boolean and of one shape [splits, {nodes}]"
        )
    parts = zip(*(arrays[key] for key in MASK_ARRAYS), strict=True)
    return tuple(Split(*(np.flatnonzero(mask) for mask in split)) for split in parts)
