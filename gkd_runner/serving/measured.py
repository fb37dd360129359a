"""What it costs to serve a run's models: one node at a time, as dashboards compare them.

A glance, taken beside whatever else the machine does. ``scripts/study.py inference`` measures
properly, other batch sizes and memory too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from gkd_runner.config.schema import Config
from gkd_runner.data.task import Task
from gkd_runner.errors import is_out_of_memory, on_one_line
from gkd_runner.graph.features import Features
from gkd_runner.methods import build_method
from gkd_runner.serving.rows import feature_rows
from gkd_runner.serving.servers import Server, fresh_student, serve_fresh_teacher, serve_student
from gkd_runner.timing import measure

logger = logging.getLogger("gkd_runner")

NODES = 32
"""Test nodes that requests are drawn from,"""

SECONDS = 0.02
"""for so long per model, or a few requests if these take longer."""


@dataclass(frozen=True)
class InferenceSeconds:
    """Median seconds for the prediction of one test node.

    The teacher gathers its neighbourhood; the student reads its features, which infgrand has
    propagated beforehand.
    """

    teacher: float
    student: float


def inference_seconds(config: Config, task: Task, device: torch.device) -> InferenceSeconds | None:
    """Time both models of ``config`` on ``task``'s whole graph.

    ``None``, and a warning, where memory does not suffice for it: no reason to lose a run.
    """
    try:
        return _measured(config, task, device)
    except Exception as failure:
        if not is_out_of_memory(failure):
            raise
        logger.warning("inference was not timed: %s", on_one_line(str(failure)))
        return None


@torch.inference_mode()
def _measured(config: Config, task: Task, device: torch.device) -> InferenceSeconds:
    graph, rng = task.graph, np.random.default_rng(task.seed)
    nodes = np.sort(rng.choice(task.split.test, min(NODES, len(task.split.test)), replace=False))
    raw = feature_rows(Features(graph.features), device)
    read = feature_rows(build_method(config.method).features(graph).rows(nodes), device)

    def median(server: Server, ids: Int[Tensor, " k"]) -> float:
        return measure(server, lambda: ids[rng.integers(len(ids))][None], device, SECONDS).median

    return InferenceSeconds(
        teacher=median(
            serve_fresh_teacher(config, graph, raw, device), torch.from_numpy(nodes).to(device)
        ),
        student=median(
            serve_student(fresh_student(config, graph, device), read),
            torch.arange(len(nodes), device=device),
        ),
    )
