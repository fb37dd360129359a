"""The most and the least influential quarter of a task's training nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gkd_runner.data.graph import FloatArray, GraphData, IntArray, Split
from gkd_runner.data.task import Task
from gkd_runner.graph.influence import influence
from gkd_runner.graph.operators import symmetric

SHARE = 0.25
"""As in the InfGraND article."""

GROUPINGS = ("overall", "per-class")
SIDES = ("top", "bottom")


@dataclass(frozen=True)
class Quarter:
    """The ``top`` or ``bottom`` quarter, of all training nodes (``overall``) or ``per-class``."""

    grouping: str
    side: str

    def of(self, task: Task, scores: FloatArray) -> Task:
        """The task with just this quarter to train on.

        ``scores`` (``[n]``) is the influence of the nodes of its training graph. Ties go to the
        smaller id; each group keeps at least one node.
        """
        ids = task.seen.train
        groups = [ids]
        if self.grouping == "per-class":
            labels = task.training_graph.labels[ids]
            groups = [ids[labels == label] for label in np.unique(labels)]
        kept = np.sort(np.concatenate([self._of_group(group, scores) for group in groups]))
        split = Split(task.observed[kept], task.split.val, task.split.test)
        return replace(task, split=split)

    def _of_group(self, ids: IntArray, scores: FloatArray) -> IntArray:
        sign = -1 if self.side == "top" else 1
        order = np.argsort(sign * scores[ids], kind="stable")
        return ids[order[: max(1, round(SHARE * len(ids)))]]


def all_quarters() -> Iterator[Quarter]:
    """The four that a study looks at."""
    for grouping in GROUPINGS:
        for side in SIDES:
            yield Quarter(grouping, side)


def node_influence(graph: GraphData, self_loops: float) -> FloatArray:
    """Influence ``[n]`` as InfGraND has it on the graph that it trains on."""
    return influence(graph.features, symmetric(graph.adjacency, self_loops))
