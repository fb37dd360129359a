"""The most and the least influential quarter of a task's training nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from gkd_runner.data.graph import FloatArray, IntArray, Split
from gkd_runner.data.task import Task

SHARE = 0.25
"""As in the InfGraND article."""

GROUPINGS = ("overall", "per-class")
SIDES = ("top", "bottom")


@dataclass(frozen=True)
class TrainingSubset:
    """The ``top`` or ``bottom`` quarter, of all training nodes (``overall``) or ``per-class``."""

    grouping: str
    side: str

    def of(self, task: Task, influence: FloatArray) -> Task:
        """The task with this quarter alone to train on.

        ``influence`` (``[n]``) is that of the nodes of its training graph. Ties go to the smaller
        id; each group keeps at least one node.
        """
        ids = task.seen.train
        groups = [ids]
        if self.grouping == "per-class":
            labels = task.training_graph.labels[ids]
            groups = [ids[labels == label] for label in np.unique(labels)]
        kept = np.sort(np.concatenate([self._quarter(group, influence) for group in groups]))
        split = Split(task.observed[kept], task.split.val, task.split.test)
        return replace(task, split=split)

    def _quarter(self, ids: IntArray, influence: FloatArray) -> IntArray:
        sign = -1 if self.side == "top" else 1
        order = np.argsort(sign * influence[ids], kind="stable")
        return ids[order[: max(1, round(SHARE * len(ids)))]]


SUBSETS = [TrainingSubset(grouping, side) for grouping, side in product(GROUPINGS, SIDES)]
"""The four that the study compares."""
