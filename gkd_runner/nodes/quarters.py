"""Quarters of the test nodes by the knowledge hardness of their soft labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

QUARTERS = ("easiest quarter", "second", "third", "hardest quarter")


def accuracy_by_hardness(nodes: pd.DataFrame) -> pd.DataFrame:
    """A row per quarter, by rising hardness; fewer than four test nodes give fewer.

    ``nodes`` counts its nodes, ``up_to`` is their largest hardness, and ``teacher`` and
    ``student`` are accuracies in [0, 1].
    """
    needed = ["knowledge_hardness", "teacher_right", "student_right"]
    test = nodes[nodes["split"] == "test"].dropna(subset=needed)
    ranked = test.sort_values("knowledge_hardness", kind="stable")
    sizes = [len(part) for part in np.array_split(np.arange(len(ranked)), len(QUARTERS))]
    quarters = ranked.groupby(np.repeat(QUARTERS, sizes), sort=False)
    return quarters.agg(
        nodes=("knowledge_hardness", "size"),
        up_to=("knowledge_hardness", "max"),
        teacher=("teacher_right", "mean"),
        student=("student_right", "mean"),
    )
