"""Small graphs, written as the publishers of the public datasets write theirs."""

from __future__ import annotations

import gzip
import pickle
import struct
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from gkd_runner.data.graph import GraphData


class Python2Pickler(pickle._Pickler):  # the C pickler cannot be taught Python 2's strings
    """Writes what Python 2 wrote: byte strings, and the modules' names of that time."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, data: bytes) -> None:
        self.write(b"T" + struct.pack("<i", len(data)) + data)

    def save_text(self, text: str) -> None:
        self.save_bytes(text.encode("latin1"))

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text


OLD_NAMES = {
    b"cscipy.sparse._csr\n": b"cscipy.sparse.csr\n",
    b"cnumpy._core.multiarray\n": b"cnumpy.core.multiarray\n",
}


def dump(value: object, path: Path, protocol: int = 2) -> None:
    with path.open("wb") as stream:
        Python2Pickler(stream, protocol, fix_imports=True).dump(value)
    content = path.read_bytes()
    for new, old in OLD_NAMES.items():
        content = content.replace(new, old)
    path.write_bytes(content)


KNOWN, NODES, WORDS, CLASSES = 606, 616, 9, 3
TEST_ORDER = [613, 606, 610, 608, 614, 615, 607]  # 609, 611 and 612 are described nowhere


def small_graph() -> GraphData:
    """A small graph in its final form: nodes 609, 611 and 612 without words and label."""
    rng = np.random.default_rng(0)
    blank = [609, 611, 612]
    words = (rng.random((NODES, WORDS)) < 0.3).astype(np.float32)
    words[blank] = 0
    labels = rng.integers(CLASSES, size=NODES)
    labels[blank] = 0
    upper = np.triu(rng.random((NODES, NODES)) < 0.01, k=1)
    adjacency = sp.csr_array((upper | upper.T).astype(np.float32))
    return GraphData("toy", adjacency, sp.csr_array(words), labels)


def write_planetoid(truth: GraphData, folder: Path, protocol: int = 2, name: str = "toy") -> None:
    one_hot = np.eye(CLASSES, dtype=np.int32)[truth.labels]
    words = sp.csr_matrix(truth.features)
    adjacency = truth.adjacency
    neighbours = defaultdict(
        list,
        {node: [int(end) for end in adjacency[[node]].nonzero()[1]] for node in range(NODES)},
    )
    neighbours[0] += [0, *neighbours[0]]  # a self-loop, and every edge of node 0 twice
    parts = {
        "x": words[:6],
        "y": one_hot[:6],
        "allx": words[:KNOWN],
        "ally": one_hot[:KNOWN],
        "tx": words[TEST_ORDER],
        "ty": one_hot[TEST_ORDER],
        "graph": neighbours,
    }
    for part, value in parts.items():
        dump(value, folder / f"ind.{name}.{part}", protocol)
    (folder / f"ind.{name}.test.index").write_text("".join(f"{node}\n" for node in TEST_ORDER))


EDGES = "0,1\n1,0\n1,2\n2,2\n0,1\n"


def write_ogb(path: Path, edges: str = EDGES, split: str = "time") -> None:
    tables = {
        "raw/num-node-list": "4\n",
        "raw/edge": edges,
        "raw/node-feat": "0.5,1.0\n-1,0\n2,3\n0,0\n",
        "raw/node-label": "1\n0\n1\n2\n",
        f"split/{split}/train": "2\n0\n",
        f"split/{split}/valid": "1\n",
        f"split/{split}/test": "3\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in tables.items():
            archive.writestr(f"{path.stem}/{name}.csv.gz", gzip.compress(text.encode()))


def write_shchur(truth: GraphData, path: Path) -> None:
    """As published: each edge in one direction, self-loops, and object arrays beside."""
    directed = sp.csr_matrix(sp.triu(truth.adjacency)) + sp.eye(NODES)
    words = sp.csr_matrix(truth.features)
    np.savez(
        path,
        **{
            f"adj_{part}": getattr(directed.tocsr(), part) for part in ("data", "indices", "indptr")
        },
        **{f"attr_{part}": getattr(words, part) for part in ("data", "indices", "indptr")},
        adj_shape=np.array([NODES, NODES]),
        attr_shape=np.array(words.shape),
        labels=truth.labels,
        class_names=np.array(["a", None], dtype=object),
        metadata=np.array({"text": "..."}, dtype=object),
    )
