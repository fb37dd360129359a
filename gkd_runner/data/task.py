"""A task: one graph under one protocol and setting for one seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

from gkd_runner.data.graph import GraphData, IntArray, Split

S = TypeVar("S")
T = TypeVar("T")


class Replica(NamedTuple):
    """One repetition of a configuration: its seed and the number of its split.

    The number is 0 where the split is drawn and where the graph has only one.
    """

    seed: int
    split: int = 0


@dataclass(frozen=True, eq=False)
class Task:
    """The graph, the split and the hidden nodes of one replica.

    Evaluation sees all of ``graph``. ``observed`` holds the sorted ids of the nodes that training
    sees: all nodes if transductive. ``hidden`` holds the test nodes that training does not see.
    ``split`` holds ids in ``graph``; ``number`` is its place among the graph's own splits.
    """

    seed: int
    graph: GraphData
    split: Split
    observed: IntArray
    hidden: IntArray
    number: int = 0

    @cached_property
    def training_graph(self) -> GraphData:
        """The subgraph on the observed nodes, renumbered; ``graph`` itself if all are observed."""
        if self.observes_all:
            return self.graph
        return self.graph.subgraph(self.observed)

    @property
    def observes_all(self) -> bool:
        return len(self.observed) == self.graph.num_nodes

    @cached_property
    def seen(self) -> Split:
        """Train, val and the observed test nodes, as ids in ``training_graph``."""
        visible_test = np.setdiff1d(self.split.test, self.hidden, assume_unique=True)
        parts = (self.split.train, self.split.val, visible_test)
        return Split(*(np.searchsorted(self.observed, ids) for ids in parts))


def once_per_object(items: Sequence[S], compute: Callable[[S], T]) -> list[T]:
    """Map ``compute`` over items, calling it once per object (replicas may share a graph)."""
    computed = {key: compute(item) for key, item in {id(item): item for item in items}.items()}
    return [computed[id(item)] for item in items]
