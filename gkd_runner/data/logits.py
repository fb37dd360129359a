"""Read a file with the logits of a teacher, for the nodes and classes of a graph.

A file has ``logits`` ``[n, C]``, a row per node and a column per class (or ``[s, n, C]`` with
``seeds`` ``[s]``), or instead ``probabilities`` of the same shape. Rows stand in the order of the
graph's nodes, unless ``node_ids`` ``[n]`` names them; columns stand in the order of its classes,
unless ``class_names`` ``[C]`` names them. A ``.npy`` file holds the logits alone. Pickled objects
are never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.errors import DataError, on_one_line
from gkd_runner.common.reading import ARRAY_ERRORS
from gkd_runner.data.graph import FloatArray, GraphData, Ids, IntArray

Array = npt.NDArray[Any]

VALUES = ("logits", "probabilities")
"""The arrays that a file may hold its values in; one of them."""

ARRAYS = (*VALUES, "node_ids", "class_names", "seeds")

ROW_SUM = 1e-3
"""Largest distance from 1 of a row's sum of probabilities, as float16 rounds them."""

SMALLEST = 1e-10
"""Smaller probabilities count as this one, so that their logarithm is finite."""

LARGEST_LOGIT = 1e30
"""Larger logits are no use: divided by a temperature they may exceed float32's 3.4e38."""

SHOWN = 5
"""Names that a message lists at most."""


def read_logits(path: str, graph: GraphData) -> dict[int | None, FloatArray]:
    """The logits ``[n, C]`` in the order of the graph's nodes and classes, by seed.

    Logits for all seeds have the key ``None``. Raises ``DataError`` for a file that cannot be read,
    for values that are no logits, and for nodes, classes or seeds that do not fit.
    """
    arrays = _arrays(path)
    values = _values(arrays, path)
    values = values[np.newaxis] if values.ndim == 2 else values
    seeds = _seeds(arrays, len(values), path)
    rows = _rows(arrays.get("node_ids"), values.shape[1], graph, path)
    columns = _columns(arrays.get("class_names"), values.shape[2], graph, path)
    ordered = {
        seed: _ordered(each, rows, columns) for seed, each in zip(seeds, values, strict=True)
    }
    for logits in ordered.values():
        _check_values(logits, graph.ids, path)
    return ordered


def _ordered(values: FloatArray, rows: IntArray | None, columns: IntArray | None) -> FloatArray:
    """The values in the order of nodes and classes; not copied where they have it already."""
    values = values if rows is None else values[rows]
    return np.ascontiguousarray(values if columns is None else values[:, columns])


def _arrays(path: str) -> Mapping[str, Array]:
    try:
        with Path(path).expanduser().open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"logits": loaded}
            found = list(loaded.files)
            arrays = {name: loaded[name] for name in ARRAYS if name in found}
    except ARRAY_ERRORS as error:
        pickled = "allow_pickle" in str(error)
        problem = "it holds Python objects (pickles)" if pickled else on_one_line(str(error))
        raise DataError(
            f"{path}: no file of logits ({problem}); write one with np.savez(path, logits=logits),"
            " logits being an array of floats [nodes, classes]"
        ) from error
    if len(given := [name for name in VALUES if name in arrays]) != 1:
        raise DataError(
            f"{path}: {' and '.join(given) or 'neither logits nor probabilities'} among the arrays"
            f" {', '.join(found) or '(none)'}; give one of logits and probabilities"
        )
    return arrays


def _values(arrays: Mapping[str, Array], path: str) -> FloatArray:
    """The logits as float32, ``[n, C]`` or ``[s, n, C]``."""
    [name] = (name for name in VALUES if name in arrays)
    values = arrays[name]
    if values.dtype.kind != "f":
        raise DataError(
            f"{path}: {name} hold {values.dtype}, not floats; logits are a teacher's answers before"
            " its softmax, and not the classes that it predicts"
        )
    if values.ndim not in (2, 3) or not values.size:
        raise DataError(
            f"{path}: {name} have shape {values.shape}; it must be (nodes, classes), or (seeds,"
            " nodes, classes)"
        )
    if name == "logits":
        if _are_probabilities(values):
            raise DataError(
                f"{path}: every row of logits is positive and sums to 1, as probabilities do; save"
                " them as the array probabilities, or as logits=np.log(probabilities)"
            )
        with np.errstate(over="ignore"):  # the check for infinity names the node
            return values.astype(np.float32, copy=False)
    if not _are_probabilities(values):
        raise DataError(
            f"{path}: a row of probabilities has values outside [0, 1], or does not sum to 1; give"
            " logits instead"
        )
    logarithms: FloatArray = np.log(np.maximum(values, SMALLEST, dtype=np.float32))
    return logarithms


def _are_probabilities(values: Array) -> bool:
    """True if every row is one of probabilities; never with NaN."""
    with np.errstate(invalid="ignore", over="ignore"):  # of infinities
        sums = values.sum(-1, dtype=np.float64)
    inside = values.min() >= 0 and values.max() <= 1 + ROW_SUM
    return bool(inside and np.abs(sums - 1).max() <= ROW_SUM)


def _seeds(arrays: Mapping[str, Array], count: int, path: str) -> Sequence[int | None]:
    """The seed of each of ``count`` sets of logits; ``None`` for one that serves all."""
    [name] = (name for name in VALUES if name in arrays)
    if arrays[name].ndim == 2:
        return [None]
    seeds = arrays.get("seeds", np.empty(0))
    if seeds.dtype.kind not in "iu" or seeds.shape != (count,) or len(set(seeds.tolist())) < count:
        raise DataError(
            f"{path}: {name} for {count} seeds need an array seeds with {count} different whole"
            f" numbers; it has {seeds.tolist() if 'seeds' in arrays else 'none'}"
        )
    return [int(seed) for seed in seeds]


def _rows(ids: Array | None, count: int, graph: GraphData, path: str) -> IntArray | None:
    """The row of each of the graph's nodes; ``None`` if the rows have their order."""
    if ids is None:
        if count != graph.num_nodes:
            apart = abs(count - graph.num_nodes)
            raise DataError(
                f"{path}: {count} rows for the {graph.num_nodes} nodes of {graph.name}, {apart} too"
                f" {'many' if count > graph.num_nodes else 'few'}; give a row per node, or the"
                " array node_ids with the id of each row (a protocol may cut the graph to its"
                " largest component)"
            )
        return None
    names, wanted = _alike(_vector(ids, "node_ids", count, path), graph.ids)
    order = np.argsort(names, kind="stable")
    if len(repeated := names[order][1:][names[order][1:] == names[order][:-1]]):
        raise DataError(f"{path}: node_ids has {_listed(repeated)} more than once; give each once")
    place = np.minimum(np.searchsorted(names, wanted, sorter=order), count - 1)
    rows: IntArray = order[place]
    if len(missing := wanted[names[rows] != wanted]):
        raise DataError(
            f"{path}: node_ids lacks {len(missing)} of the {graph.num_nodes} nodes of {graph.name}"
            f" ({_listed(missing)}); give every node a row. It has {_listed(names)}"
        )
    return rows


def _columns(names: Array | None, count: int, graph: GraphData, path: str) -> IntArray | None:
    """The column of each of the graph's classes; ``None`` if the columns have their order."""
    classes = graph.classes[: graph.num_classes]
    if count != len(classes):
        raise DataError(
            f"{path}: {count} columns for the {len(classes)} classes of {graph.name}"
            f" ({_listed(classes)}); give one per class, in this order or with class_names"
        )
    if names is None:
        return None
    given = [str(name) for name in _vector(names, "class_names", count, path)]
    if sorted(given) != sorted(classes):
        raise DataError(
            f"{path}: class_names are {', '.join(given)}, and the classes of {graph.name} are"
            f" {', '.join(classes)}; give each of these once"
        )
    return np.array([given.index(name) for name in classes])


def _vector(array: Array, name: str, count: int, path: str) -> Array:
    if array.shape != (count,) or array.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: {name} must be {count} whole numbers or texts, and is {array.dtype} of shape"
            f" {array.shape}"
        )
    return array


def _alike(one: Array, other: Ids) -> tuple[Array, Array]:
    """Both as integers, or both as text."""
    if "U" in (one.dtype.kind, other.dtype.kind):
        return one.astype(np.str_), other.astype(np.str_)
    return one.astype(np.int64), other.astype(np.int64)


def _listed(names: Sequence[Any] | Array) -> str:
    shown = ", ".join(map(str, islice(names, SHOWN)))
    return f"{shown}, ..." if len(names) > SHOWN else shown


def _check_values(logits: FloatArray, ids: Ids, path: str) -> None:
    """Raise ``DataError`` unless these can be the logits of a teacher."""
    wrong = ~np.isfinite(logits).all(1)
    if wrong.any():
        raise DataError(
            f"{path}: {wrong.sum()} rows have NaN or infinity (in float32), those of the nodes"
            f" {_listed(ids[wrong])}; mend the teacher that wrote them"
        )
    if (largest := np.abs(logits).max()) > LARGEST_LOGIT:
        raise DataError(
            f"{path}: the largest logit is {largest:g}, and float32 needs them below"
            f" {LARGEST_LOGIT:g}; mend the teacher that wrote them"
        )
    if (logits == logits[0]).all():
        raise DataError(f"{path}: all rows are equal; a teacher's answers differ between nodes")
