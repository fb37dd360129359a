"""Cora, Citeseer and Pubmed from the files of Yang, Cohen and Salakhutdinov (2016)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.checks import without_defects
from gkd_runner.data.graph import GraphData, IntArray, Split
from gkd_runner.data.sources.pickles import CsrState, read_restricted

PARTS = ("allx", "tx", "y", "ally", "ty", "graph", "test.index")  # x only repeats rows of allx
PUBLIC_VAL_SIZE = 500  # the nodes after the training nodes (Yang et al., 2016)


def read_planetoid(folder: Path, name: str) -> GraphData:
    """Build the graph from ``folder/ind.<name>.*``, in the public node order.

    ``allx`` holds the first nodes' features, and row k of ``tx`` those of the test node
    ``test.index[k]``. A node that no file describes (15 in Citeseer) gets zero features and
    label 0, as everywhere this dataset is used; it is in no split. Repeated edges are merged
    and self-loops dropped. The public split trains on the nodes of ``y``, validates on the next
    500 and tests on the test nodes in ascending order. Raises ``DataError`` for unreadable or
    inconsistent files.
    """
    raw = {part: read_restricted(folder / f"ind.{name}.{part}") for part in PARTS[:-1]}
    test = _read_index(folder / f"ind.{name}.test.index")
    try:
        features = _place(_matrix(raw["allx"]), _matrix(raw["tx"]), test)
        labels = _labels(raw["ally"], raw["ty"], test)
        adjacency = _adjacency(raw["graph"], len(labels))
        train = np.arange(len(raw["y"]), dtype=np.int64)
    except (ValueError, TypeError, IndexError, AttributeError, DataError) as error:
        raise DataError(f"{folder}/ind.{name}.*: inconsistent files: {error}") from error
    val = np.arange(len(train), len(train) + PUBLIC_VAL_SIZE, dtype=np.int64)
    return GraphData(name, adjacency, features, labels, (Split(train, val, np.sort(test)),))


def _read_index(path: Path) -> IntArray:
    try:
        ids = np.array(path.read_text(encoding="ascii").split(), dtype=np.int64)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a list of node ids: {error}") from error
    if len(ids) == 0:
        raise DataError(f"{path}: names no test node; delete it and download it again")
    return ids


def _matrix(value: object) -> sp.csr_array:
    if not isinstance(value, CsrState):
        raise TypeError(f"expected a sparse matrix, got {type(value).__name__}")
    return value.matrix()


def _place(allx: sp.csr_array, tx: sp.csr_array, test: IntArray) -> sp.csr_array:
    """Put row k of ``tx`` into row ``test[k]`` below ``allx``; rows in neither stay empty."""
    if tx.shape[0] != len(test):
        raise ValueError(f"tx has {tx.shape[0]} rows, but test.index names {len(test)} nodes")
    if test.min() < allx.shape[0]:
        raise ValueError(f"test.index names node {test.min()}, which allx holds already")
    shape = (int(test.max()) + 1, allx.shape[1])
    moved = tx.tocoo()
    below = sp.csr_array((moved.data, (test[moved.row], moved.col)), shape=shape)
    allx.resize(shape)
    return allx + below  # the sum stores no zeros


def _labels(ally: npt.NDArray[Any], ty: npt.NDArray[Any], test: IntArray) -> IntArray:
    labels = np.zeros(int(test.max()) + 1, dtype=np.int64)
    labels[: len(ally)] = ally.argmax(axis=1)
    labels[test] = ty.argmax(axis=1)
    return labels


def _adjacency(neighbours: dict[int, list[int]], nodes: int) -> sp.csr_array:
    counts = [len(ends) for ends in neighbours.values()]
    rows = np.repeat(np.fromiter(neighbours, np.int64, len(neighbours)), counts)
    columns = np.fromiter((end for ends in neighbours.values() for end in ends), np.int64)
    ones = np.ones(len(rows), dtype=np.float32)
    return without_defects(sp.csr_array((ones, (rows, columns)), shape=(nodes, nodes)))
