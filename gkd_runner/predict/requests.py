"""The files of a request: ids of known nodes, features of new ones, and pairs of neighbours."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from gkd_runner.common.reading import ARRAY_ERRORS
from gkd_runner.data.graph import FloatArray, Ids
from gkd_runner.data.importing.names import ENDS, IDS
from gkd_runner.predict.columns import Width, by_name, find_columns
from gkd_runner.predict.folder import PredictError
from gkd_runner.predict.ids import NodeIndex, check_new_ids

PAIR_COLUMNS = ("new", *(first for first, _ in ENDS), *IDS)
"""First columns of edge lists; a first line with one of these is a header."""


@dataclass(frozen=True, eq=False)
class NewNodes:
    """Ids ``[k]`` and raw features ``[k, d]`` of new nodes."""

    ids: Ids
    features: FloatArray | sp.csr_array


def read_ids(path: Path, index: NodeIndex) -> list[str]:
    """The ids of known nodes: the first column of a CSV file, with or without a header.

    The first line is a header if it is no id of ``index`` and all others are ids, or if it is
    called ``id``.
    """
    ids = [row[0] for row in _rows(path)]
    if index.knows(ids[:1]):
        return ids
    is_header = ids[0].lower() in IDS or (len(ids) > 1 and index.knows(ids[1:]))
    return ids[1:] if is_header else ids


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The first two columns of a CSV file, with or without a header such as ``source,target``."""
    rows = _rows(path)
    short = [number for number, row in enumerate(rows, 1) if len(row) < 2]
    if short:
        raise PredictError(f"{path}: line {short[0]} has one column; each line is a pair of ids")
    start = 1 if rows[0][0].lower() in PAIR_COLUMNS else 0
    return [(row[0], row[1]) for row in rows[start:]]


def read_features(path: Path, width: Width) -> NewNodes:
    """New nodes with the features of ``width``, from a ``.csv`` or ``.npz`` file.

    A CSV file has a header and one line per node: its id (a column called ``id``, or else the first
    one), and its features. If the student's features have names, the header has these names, in
    any order; otherwise the columns stand in the order of the training graph's. An ``.npz`` file
    has ``attr_matrix`` ``[k, d]`` or a CSR matrix ``attr_data``, ``attr_indices``, ``attr_indptr``,
    ``attr_shape``, and may have ``node_ids`` and ``feature_names``.

    Raises ``PredictError`` for columns that do not fit, and for cells that are no numbers.
    """
    if path.suffix == ".npz":
        return _from_npz(path, width)
    header, *rows = _rows(path)
    place, kept = find_columns(path, header, width)
    features = _numbers(path, header, rows, kept)
    _check_width(path, features, width)
    return NewNodes(np.array([row[place] for row in rows], dtype=str), features)


def neighbour_lists(
    new: Ids, pairs: Sequence[tuple[str, str]], path: Path | None
) -> list[list[str]]:
    """The neighbours of each new node; either end of a pair may be the new one.

    Raises ``PredictError`` for a pair without a new node, and for ids that are not unique.
    """
    check_new_ids(new, len(new))
    place: Mapping[str, int] = {str(node): number for number, node in enumerate(new.tolist())}
    lists: list[list[str]] = [[] for _ in place]
    for one, other in pairs:
        if one in place:
            lists[place[one]].append(other)
        elif other in place:
            lists[place[other]].append(one)
        else:
            raise PredictError(
                f"{path}: the pair {one},{other} has no new node; the new ones are those with"
                f" features, the first is {new[0]}"
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
            cell = next((header[at], row[at]) for at in kept if not _is_number(row[at]))
            raise PredictError(f"{path}: line {line + 2}, {_no_number(*cell)}") from error
    return values


def _check_width(path: Path, features: Any, width: Width) -> None:
    if features.shape[1] != width.columns:
        raise PredictError(
            f"{path}: {features.shape[1]} features per node; the training graph has"
            f" {width.columns}, in the order of its columns"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _no_number(column: str, cell: str) -> str:
    if not cell:
        return f"column {column}: the cell is empty; fill it in, with 0 where nothing is known"
    return f"column {column}: {cell!r} is no number, so that column {column} is not a feature"


def _from_npz(path: Path, width: Width) -> NewNodes:
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
    _check_width(path, features, width)
    if width.names and "feature_names" in arrays:
        found = arrays["feature_names"].astype(str).tolist()
        features = features[:, by_name(f"{path}: feature_names", found, width)]
    numbered = [f"new-{number}" for number in range(features.shape[0])]
    return NewNodes(arrays.get("node_ids", np.array(numbered)).astype(str), features)


def _arrays(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PredictError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except ARRAY_ERRORS as error:
        raise PredictError(f"{path}: not a readable .npz file of numbers ({error})") from error
