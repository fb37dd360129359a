"""Read and write graph files: ``.npz`` with a CSR adjacency, features, labels and splits.

The layout is that of Shchur et al. (2018): ``adj_indptr``, ``adj_indices``, ``adj_shape`` (and
optionally ``adj_data``, whose zeros mean that there is no edge); either ``attr_indptr``,
``attr_indices``, ``attr_data``, ``attr_shape`` (CSR) or ``attr_matrix`` (dense ``[n, d]``);
``labels`` (``[n]``, -1 = unknown). Optional are ``train_idx``, ``val_idx``, ``test_idx``, or for
several splits ``train_masks``, ``val_masks``, ``test_masks`` (``[s, n]`` bool); ``node_ids``
(``[n]``, integers or text), ``class_names`` and ``feature_names`` ``[d]`` (text). Files in other
layouts are read by ``gkd_runner.data.importing``; pickled objects are never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.common.files import replacing
from gkd_runner.data.checks import check_graph, without_defects
from gkd_runner.data.graph import FloatArray, GraphData, IntArray
from gkd_runner.data.importing.archive import MAPPED_FROM, Archive, read_archive
from gkd_runner.data.importing.arrays import from_arrays
from gkd_runner.data.importing.assemble import assemble
from gkd_runner.data.importing.raw import Findings, Imported
from gkd_runner.data.importing.splits import read_splits, split_arrays
from gkd_runner.data.importing.wording import log_findings

SPLIT_ARRAYS = ("train_idx", "val_idx", "test_idx")
MASK_ARRAYS = ("train_masks", "val_masks", "test_masks")
NAME_ARRAYS = ("node_ids", "class_names", "feature_names")
PUBLISHED_EXTRAS = (
    *("node_names", "attr_names", "attr_text", "metadata"),
    *("idx_to_node", "idx_to_attr", "idx_to_class"),
)
"""Arrays of Shchur's files beside those above; a graph needs none of them."""

_REQUIRED = ("adj_indptr", "adj_indices", "adj_shape", "labels")
_SPARSE_FEATURES = ("attr_indptr", "attr_indices", "attr_data", "attr_shape")
_DENSE_FEATURES = "attr_matrix"


def load_npz(path: Path | str, name: str, *, repair: bool = False) -> GraphData:
    """Read and check one graph file.

    In gkd-runner's own layout, each missing reverse edge, duplicate or self-loop is an error, or
    mended with ``repair``. In other layouts, such as the heterophily suite's, these are always
    mended. Large dense features may be mapped from the file, as ``read_archive`` says. Warns of
    edge weights, which are dropped, and of arrays that nothing is read from. Raises ``DataError``
    for anything that is missing, malformed or out of range, and for pickled objects.
    """
    path = Path(path)
    archive = read_archive(path)
    if not _is_own(archive):
        imported = _foreign(archive, path, name)
        log_findings(imported.findings, str(path))
        return imported.graph
    graph = _own(archive, path, name, repair=repair)
    check_graph(graph, str(path))
    log_findings(_findings(archive), str(path))
    return graph


def read_npz(path: Path, name: str) -> GraphData:
    """Read a file that ``save_npz`` wrote, as ``load_npz`` does, without checking the graph."""
    return _own(read_archive(path), path, name)


def import_npz(path: Path | str, name: str) -> Imported:
    """Read a graph file of any layout, mend what can be mended, and count it.

    A graph that ``load_npz`` accepts comes out as from there. Raises ``DataError`` as it does.
    """
    path = Path(path)
    archive = read_archive(path)
    imported = _foreign(archive, path, name)
    if not _is_own(archive) or not {_DENSE_FEATURES, "attr_indptr"} & archive.arrays.keys():
        return imported
    stored = _features(archive.arrays)  # the file decides whether they are sparse
    return replace(imported, graph=replace(imported.graph, features=stored))


def _own(archive: Archive, path: Path, name: str, *, repair: bool = False) -> GraphData:
    arrays = archive.arrays
    _require(list(arrays), path)
    try:
        adjacency = _csr(arrays, "adj", binary=True)
        features = _features(arrays)
        labels = _labels(arrays["labels"])
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: malformed arrays: {error}") from error
    splits = read_splits(arrays, labels.size, str(path)).splits
    if repair and adjacency.shape[0] == adjacency.shape[1]:
        adjacency = without_defects(adjacency)
    return GraphData(name, adjacency, features, labels, splits, **_names(arrays, path))


def _is_own(archive: Archive) -> bool:
    return any(name.startswith("adj_ind") for name in archive.arrays)


def _foreign(archive: Archive, path: Path, name: str) -> Imported:
    return assemble(from_arrays(archive.arrays, str(path), archive.unused), name)


def _findings(archive: Archive) -> Findings:
    """The findings in a file of our own layout: unused arrays and edge weights."""
    weights = np.asarray(archive.arrays.get("adj_data", ()))
    dense = _DENSE_FEATURES in archive.arrays
    features = (_DENSE_FEATURES,) if dense else _SPARSE_FEATURES
    splits = split_arrays(archive.arrays)
    used = {*_REQUIRED, "adj_data", *features, *NAME_ARRAYS, *splits}
    others = [name for name in archive.arrays if name not in used]
    unread = [name for name in archive.unused if name not in PUBLISHED_EXTRAS]
    return Findings(
        unused=(*others, *unread), weighted=int(((weights != 0) & (weights != 1)).sum())
    )


def save_npz(graph: GraphData, path: Path | str) -> None:
    """Write ``graph`` atomically to a file that ``load_npz`` reads.

    The file is compressed, unless its features are large and dense, so that they can be mapped.
    Equal graphs give equal bytes. Raises ``OSError`` when ``path`` cannot be written, and
    ``DataError`` for labels that are not integers or features that float32 cannot hold.

    A graph of four nodes, for ``gkd-train dataset=mine.npz``:

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
    >>> save_npz(GraphData("mine", adjacency, features, labels), "mine.npz")
    """
    path = Path(path)
    try:
        arrays = _arrays_of(graph)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: not written: {error}") from error
    mapped = _DENSE_FEATURES in arrays and arrays[_DENSE_FEATURES].nbytes >= MAPPED_FROM
    with replacing(path) as part, part.open("wb") as stream:
        (np.savez if mapped else np.savez_compressed)(stream, **arrays)


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
    if graph.feature_names:
        arrays["feature_names"] = np.array(graph.feature_names)
    return arrays


def _names(arrays: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Node ids, and names of classes and features, if the file has them."""
    for key in NAME_ARRAYS:
        if key in arrays and (arrays[key].ndim != 1 or arrays[key].dtype.kind not in "iuU"):
            raise DataError(
                f"{path}: {key} must be a vector of integers or text, got {arrays[key].dtype} of"
                f" shape {arrays[key].shape}"
            )
    ids = arrays.get("node_ids")
    if ids is not None and ids.dtype.kind in "iu":
        ids = ids.astype(np.int64)
    named = NAME_ARRAYS[1:]
    return {"node_ids": ids, **{key: tuple(map(str, arrays.get(key, ()))) for key in named}}


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
        if bad := int((~np.isfinite(stored)).sum()):
            raise ValueError(f"{prefix}_data holds {bad} values that are NaN or infinite")
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
