"""Soft labels on their way from the first process of a job to the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gkd_runner.common.processes import ProcessGroup
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained

LOGITS = "logits"
"""Sent beside the teacher's weights, none of which has this name."""


def send_soft_labels(soft_labels: Sequence[SoftLabels], processes: ProcessGroup) -> None:
    """Give the others what students read: each seed's logits, temperature and teacher."""
    if processes.size == 1:
        return
    processes.share({"seeds": [labels.teacher.seed for labels in soft_labels]})
    for labels in soft_labels:
        teacher = labels.teacher
        tensors = {LOGITS: torch.tensor(teacher.observed_logits), **teacher.state}
        shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
        told = {"seed": teacher.seed, "temperature": labels.temperature, "shapes": shapes}
        processes.share(told)
        for tensor in tensors.values():
            processes.broadcast(tensor.contiguous())


def receive_soft_labels(processes: ProcessGroup) -> list[SoftLabels]:
    """Receive the soft labels of all seeds that have some from ``send_soft_labels``."""
    return [_received(processes) for _ in processes.share()["seeds"]]


def _received(processes: ProcessGroup) -> SoftLabels:
    told = processes.share()
    tensors = {
        name: processes.broadcast(torch.empty(shape)) for name, shape in told["shapes"].items()
    }
    logits = tensors.pop(LOGITS).numpy()
    teacher = Trained(told["seed"], tensors, logits, logits[:0], 0, [], 0.0)
    return SoftLabels(teacher, "", cached=True, temperature=told["temperature"])
