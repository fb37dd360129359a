"""Columns of a finished run: confidence, correctness and hardness of teacher and student."""

from __future__ import annotations

import numpy as np
import torch

from gkd_runner.data.graph import UNKNOWN_LABEL, FloatArray
from gkd_runner.graph.hardness import hardness
from gkd_runner.nodes.table import Column, scattered
from gkd_runner.runs.reload import Logits, ReloadedSeed


def run_columns(seed: ReloadedSeed) -> dict[str, Column]:
    """Hardness, confidence, prediction and whether it is right, of teacher and student.

    Nodes without logits (neither observed nor hidden) have no value; nodes without a label are
    neither right nor wrong. The teacher is taken as it taught, calibrated.
    """
    n, labels = seed.task.graph.num_nodes, seed.task.graph.labels
    stages = {"teacher": seed.teacher, "student": seed.student}
    predicted = {
        name: scattered(n, seed.nodes, logits.all.argmax(1)) for name, logits in stages.items()
    }
    hard = {
        "knowledge_hardness": relative_hardness(seed.teacher),
        "distillation_hardness": relative_hardness(seed.student),
    }
    sure = {f"{name}_confidence": softmax(logits.all).max(1) for name, logits in stages.items()}
    values = {name: scattered(n, seed.nodes, value) for name, value in (hard | sure).items()}
    right = {
        f"{name}_right": np.ma.masked_where(labels == UNKNOWN_LABEL, column == labels)
        for name, column in predicted.items()
    }
    return values | {f"{name}_prediction": column for name, column in predicted.items()} | right


def relative_hardness(logits: Logits) -> FloatArray:
    """HGMD's hardness of the observed nodes, then of the hidden ones on the same scale.

    The scale is the largest entropy of an observed node, so a hidden node's may be above 1.
    """
    own = _hardness(logits.observed)
    if not len(logits.hidden):
        return own
    together = _hardness(logits.all)
    return np.concatenate([own, together[len(own) :] / together[: len(own)].max()])


def _hardness(logits: FloatArray) -> FloatArray:
    values: FloatArray = hardness(torch.from_numpy(softmax(logits)).unsqueeze(0))[0].numpy()
    return values


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities ``[k, C]`` at temperature 1."""
    probabilities: FloatArray = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    return probabilities
