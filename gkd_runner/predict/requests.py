"""The files of a request: ids of known nodes, features of new ones, and pairs of neighbours."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from gkd_runner.data.graph import FloatArray, Ids
from gkd_runner.predict.folder import PredictError

ID_COLUMNS = ("id", "node_id", "node", "node_ids")
LABEL_COLUMNS = ("label", "labels", "class", "target", "y")
PAIR_COLUMNS = ("source", "src", "from", "u", "new", *ID_COLUMNS, "id_1", "id1", "node_1", "node1")
"""First columns of edge lists; a first line with one of these is a header."""

logger = logging.getLogger("gkd_runner")


@dataclass(frozen=True, eq=False)
class NewNodes:
    """Ids ``[k]`` and raw features ``[k, d]`` of new nodes."""

    ids: Ids
    features: FloatArray | sp.csr_array


def read_ids(path: Path) -> list[str]:
    """The first column of a CSV file, with or without a header called ``id``."""
    rows = _rows(path)
    start = 1 if rows[0][0].lower() in ID_COLUMNS else 0
    return [row[0] for row in rows[start:]]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The first two columns of a CSV file, with or without a header such as ``source,target``."""
    rows = _rows(path)
    short = [number for number, row in enumerate(rows, 1) if len(row) < 2]
    if short:
        raise PredictError(f"{path}: line {short[0]} has one column; each line is a pair of ids")
    start = 1 if rows[0][0].lower() in PAIR_COLUMNS else 0
    return [(row[0], row[1]) for row in rows[start:]]


def read_features(path: Path, columns: int) -> NewNodes:
    """New nodes with ``columns`` features each, from a ``.csv`` or ``.npz`` file.

    A CSV file has a header and one line per node: its id (a column called ``id``, or else the first
    one), and its features in the order of the training graph's columns. A column of labels is
    left out, and the log says so. An ``.npz`` file has ``attr_matrix`` ``[k, d]`` or a CSR matrix
    ``attr_data``, ``attr_indices``, ``attr_indptr``, ``attr_shape``, and may have ``node_ids``.
    """
    if path.suffix == ".npz":
        return _from_npz(path)
    header, *rows = _rows(path)
    names = [name.strip().lower() for name in header]
    place = next((names.index(name) for name in ID_COLUMNS if name in names), 0)
    left_out = {place}
    if len(names) == columns + 2:
        labels = [number for number, name in enumerate(names) if name in LABEL_COLUMNS]
        left_out |= set(labels[:1])
        if labels:
            logger.warning("%s: the column %s is not read", path, header[labels[0]])
    kept = [number for number in range(len(names)) if number not in left_out]
    return NewNodes(
        np.array([row[place] for row in rows], dtype=str), _numbers(path, header, rows, kept)
    )


def neighbour_lists(
    new: Ids, pairs: Sequence[tuple[str, str]], path: Path | None
) -> list[list[str]]:
    """The neighbours of each new node; either end of a pair may be the new one.

    Raises ``PredictError`` for a pair without a new node.
    """
    place: Mapping[str, int] = {str(node): number for number, node in enumerate(new.tolist())}
    lists: list[list[str]] = [[] for _ in place]
    for one, other in pairs:
        if one in place:
            lists[place[one]].append(other)
        elif other in place:
            lists[place[other]].append(one)
        else:
            raise PredictError(
                f"{path}: the pair {one},{other} has no new node; the new ones are those of"
                f" --features, the first is {new[0]}"
            )
    return lists


def _rows(path: Path) -> list[list[str]]:
    """The lines of a CSV file that are not empty, as lists of cells."""
    if not path.is_file():
        raise PredictError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise PredictError(f"{path}: not a CSV file ({error})") from error
    if not rows:
        raise PredictError(f"{path}: the file is empty")
    return rows


def _numbers(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int]
) -> FloatArray:
    values = np.empty((len(rows), len(kept)), dtype=np.float32)
    for line, row in enumerate(rows):
        if len(row) != len(header):
            raise PredictError(
                f"{path}: line {line + 2} has {len(row)} columns, the header {len(header)}"
            )
        try:
            values[line] = [float(row[number]) for number in kept]
        except ValueError as error:
            raise PredictError(f"{path}: line {line + 2}: {error}") from error
    return values


def _from_npz(path: Path) -> NewNodes:
    arrays = _arrays(path)
    sparse = ("attr_data", "attr_indices", "attr_indptr", "attr_shape")
    if "attr_matrix" in arrays:
        features: Any = np.asarray(arrays["attr_matrix"], dtype=np.float32)
    elif all(name in arrays for name in sparse):
        data, indices, indptr, shape = (arrays[name] for name in sparse)
        features = sp.csr_array((data.astype(np.float32), indices, indptr), shape=tuple(shape))
    else:
        raise PredictError(
            f"{path}: lacks attr_matrix (or {', '.join(sparse)}); found: {', '.join(arrays)}"
        )
    if features.ndim != 2:
        raise PredictError(f"{path}: attr_matrix must be [k, d], got shape {features.shape}")
    numbered = [f"new-{number}" for number in range(features.shape[0])]
    return NewNodes(arrays.get("node_ids", np.array(numbered)).astype(str), features)


def _arrays(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PredictError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, AttributeError) as error:
        raise PredictError(f"{path}: not a readable .npz file of numbers ({error})") from error
