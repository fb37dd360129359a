"""ogbn-arxiv and ogbn-products from the zip files of the Open Graph Benchmark (2020)."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.checks import without_defects
from gkd_runner.data.graph import GraphData, Split


def read_ogb(archive: Path, name: str, *, root: str, split: str) -> GraphData:
    """Build the graph from the gzipped tables under ``root/`` in ``archive``.

    Node order and split (``root/split/<split>/``) are the official ones; features are dense
    float32. Self-loops are dropped, and every edge is stored once in each direction. In arxiv,
    8,444 pairs of papers cite each other; each pair becomes one undirected edge, which leaves
    2,315,598 stored edges. (The released GLNN code adds reverse edges without merging, so that
    these pairs count twice.) Raises ``DataError`` for an unreadable archive.
    """
    try:
        with zipfile.ZipFile(archive) as files:
            return _read(files, name, root, split)
    except KeyError as error:
        raise DataError(f"{archive}: lacks a table: {error.args[0]}") from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError) as error:
        raise DataError(
            f"{archive}: not a readable OGB archive ({error}); delete it and download it again"
        ) from error


def _read(files: zipfile.ZipFile, name: str, root: str, split: str) -> GraphData:
    nodes = int(_table(files, f"{root}/raw/num-node-list.csv.gz", np.int64)[0, 0])
    features = _table(files, f"{root}/raw/node-feat.csv.gz", np.float32)
    labels = _table(files, f"{root}/raw/node-label.csv.gz", np.int64)[:, 0]
    ends = _table(files, f"{root}/raw/edge.csv.gz", np.int64)
    if len(features) != nodes or len(labels) != nodes:
        raise ValueError(
            f"{nodes} nodes, but {len(features)} rows of features and {len(labels)} labels"
        )
    ones = np.ones(len(ends), dtype=np.float32)
    directed = sp.csr_array((ones, (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))
    parts = (
        _table(files, f"{root}/split/{split}/{part}.csv.gz", np.int64)[:, 0]
        for part in ("train", "valid", "test")
    )
    return GraphData(name, without_defects(directed), features, labels, (Split(*parts),))


def _table(files: zipfile.ZipFile, member: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Read one table, which has no header, as ``[rows, columns]``."""
    import pandas as pd

    with files.open(member) as packed, gzip.open(packed) as stream:
        frame = pd.read_csv(stream, header=None, dtype=dtype)
    return np.ascontiguousarray(frame.to_numpy(dtype=dtype))
