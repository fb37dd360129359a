"""Quarters of the test nodes by the knowledge hardness of their soft labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gkd_runner.nodes.table import NodeTable

QUARTERS = ("easiest quarter", "second", "third", "hardest quarter")


@dataclass(frozen=True)
class Quarter:
    """One quarter: its size, its largest hardness, and both accuracies in [0, 1]."""

    name: str
    nodes: int
    top: float
    teacher: float
    student: float


def accuracy_by_hardness(table: NodeTable) -> list[Quarter]:
    """The quarters, by rising hardness; fewer than four test nodes give fewer."""
    hardness, split, teacher, student = table.together(
        "knowledge_hardness", "split", "teacher_right", "student_right"
    )
    test = np.flatnonzero(split == "test")
    order = test[np.argsort(hardness[test], kind="stable")]
    return [
        Quarter(
            name,
            len(part),
            float(hardness[part].max()),
            float(teacher[part].mean()),
            float(student[part].mean()),
        )
        for name, part in zip(QUARTERS, np.array_split(order, len(QUARTERS)), strict=True)
        if len(part)
    ]
