"""A task: one graph under one protocol and setting for one seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from gkd_runner.data.graph import GraphData, IntArray, Split

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Task:
    """What one seed trains and is tested on.

    ``graph`` is what evaluation may see; ``observed`` the sorted ids of the nodes that training
    sees (all of them when transductive); ``hidden`` the test nodes that it does not. ``split``
    holds ids in ``graph``.
    """

    seed: int
    graph: GraphData
    split: Split
    observed: IntArray
    hidden: IntArray

    @cached_property
    def training_graph(self) -> GraphData:
        """The induced graph on the observed nodes, renumbered; the graph itself if all are."""
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
    """``compute`` of each item, once for items that are one object (replicas on one graph)."""
    computed = {key: compute(item) for key, item in {id(item): item for item in items}.items()}
    return [computed[id(item)] for item in items]
