"""Made-up graphs with the sizes of real ones, for machines that do not have these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from gkd_runner.data.graph import FloatArray, GraphData, IntArray, Split
from gkd_runner.data.synthetic import synthetic

SEED = 0


@dataclass(frozen=True)
class Shape:
    """The sizes of a graph.

    Attributes:
        nodes: number of nodes.
        edges: undirected edges.
        features: columns of the features.
        classes: number of classes.
        stored: non-zero feature values, all positive; ``None`` for signed dense features.
        split: training, validation and test nodes of the graph's own split, if it has one.
    """

    nodes: int
    edges: int
    features: int
    classes: int
    stored: int | None = None
    split: tuple[int, int, int] | None = None

    def scaled(self, factor: float) -> Shape:
        """The same graph with ``factor`` times the nodes, edges and nodes of each part."""
        split = self.split and tuple(max(1, round(factor * part)) for part in self.split)
        return Shape(
            round(factor * self.nodes),
            round(factor * self.edges),
            self.features,
            self.classes,
            None if self.stored is None else round(factor * self.stored),
            split,  # type: ignore[arg-type]
        )


SHAPES = {
    # sizes of the files that the datasets' sources give; edges without self-loops and duplicates
    "cora": Shape(2_708, 5_278, 1_433, 7, 49_216, (140, 500, 1_000)),
    "pubmed": Shape(19_717, 44_324, 500, 3, 988_031, (60, 500, 1_000)),
    "amazon-photo": Shape(7_650, 119_081, 745, 8, 1_979_909),
    "coauthor-cs": Shape(18_333, 81_894, 6_805, 15, 1_092_079),
    "coauthor-physics": Shape(34_493, 247_962, 8_415, 5, 1_137_311),
    # Hu et al. (OGB, 2020), tables of node property prediction; arxiv without reciprocal citations
    "ogbn-arxiv": Shape(169_343, 1_157_799, 128, 40, None, (90_941, 29_799, 48_603)),
    "ogbn-products": Shape(2_449_029, 61_859_140, 100, 47, None, (196_615, 39_323, 2_213_091)),
}


def shaped_graph(name: str, shape: Shape) -> GraphData:
    """A graph with communities and hubs of this shape; its features say a little of its classes."""
    rng = np.random.default_rng(SEED)
    structure = synthetic(
        shape.nodes,
        classes=shape.classes,
        features=shape.classes,
        words_per_node=1,
        mean_degree=2 * shape.edges / shape.nodes,
        seed=SEED,
    )
    features = (
        _signed(structure.labels, shape, rng) if shape.stored is None else _counts(shape, rng)
    )
    splits = (_split(shape.nodes, shape.split, rng),) if shape.split else ()
    return GraphData(name, structure.adjacency, features, structure.labels, splits)


def kept_graph(name: str, shape: Shape, folder: Path) -> GraphData:
    """``shaped_graph``, made once and then read from ``folder``."""
    path = folder / f"{name}-{shape.nodes}-{shape.edges}.npz"
    if not path.is_file():
        made = shaped_graph(name, shape)
        if isinstance(made.features, np.ndarray):  # no workload with sparse features is that large
            _write(made, path)
        return made
    with np.load(path) as stored:
        parts = {key: stored[key] for key in stored.files}
    structure = parts["indices"], parts["indptr"]
    ones = np.ones(len(parts["indices"]), dtype=np.float32)
    adjacency = sp.csr_array((ones, *structure), shape=(shape.nodes, shape.nodes))
    split = Split(parts["train"], parts["val"], parts["test"])
    return GraphData(name, adjacency, parts["features"], parts["labels"], (split,))


def _write(graph: GraphData, path: Path) -> None:
    (split,) = graph.splits
    np.savez(
        path,
        indptr=graph.adjacency.indptr,
        indices=graph.adjacency.indices,
        features=graph.features,
        labels=graph.labels,
        train=split.train,
        val=split.val,
        test=split.test,
    )


def _signed(labels: IntArray, shape: Shape, rng: np.random.Generator) -> FloatArray:
    """Normal values around the centre of the class."""
    centres = rng.standard_normal((shape.classes, shape.features), dtype=np.float32)
    values = rng.standard_normal((shape.nodes, shape.features), dtype=np.float32)
    values += centres[labels]
    return values


def _counts(shape: Shape, rng: np.random.Generator) -> sp.csr_array:
    """Ones in ``stored`` random places."""
    assert shape.stored is not None
    size = (shape.nodes, shape.features)
    density = shape.stored / (shape.nodes * shape.features)
    matrix = sp.random_array(
        size,
        density=density,
        format="csr",
        dtype=np.float32,
        rng=rng,
        data_sampler=lambda size: np.ones(size, dtype=np.float32),
    )
    matrix.sort_indices()
    return matrix


def _split(nodes: int, sizes: tuple[int, int, int], rng: np.random.Generator) -> Split:
    order = rng.permutation(nodes)
    train, val, test = np.split(order[: sum(sizes)], np.cumsum(sizes)[:2])
    return Split(np.sort(train), np.sort(val), np.sort(test))
