"""Columns of a finished run: how sure and how right teacher and student are of each node."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from gkd_runner.data.graph import UNKNOWN_LABEL, FloatArray
from gkd_runner.graph.hardness import hardness
from gkd_runner.nodes.table import node_column
from gkd_runner.runs.reload import Logits, ReloadedSeed


def run_columns(seed: ReloadedSeed) -> dict[str, pd.Series]:
    """Hardness, confidence, prediction and whether it is right, of teacher and student.

    Values are missing for nodes without logits, which are neither observed nor hidden. Nodes
    without a label are neither right nor wrong. The teacher is calibrated, as when it taught.
    """
    stages = {"teacher": seed.teacher, "student": seed.student}
    values = {
        "knowledge_hardness": relative_hardness(seed.teacher),
        "distillation_hardness": relative_hardness(seed.student),
        **{f"{name}_confidence": softmax(logits.all).max(1) for name, logits in stages.items()},
        **{f"{name}_prediction": logits.all.argmax(1) for name, logits in stages.items()},
    }
    columns = {name: node_column(seed.task, seed.nodes, value) for name, value in values.items()}
    labels = pd.Series(seed.task.graph.labels, dtype="Int64").replace(UNKNOWN_LABEL, pd.NA)
    right = {f"{name}_right": columns[f"{name}_prediction"] == labels for name in stages}
    return columns | right


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
