"""Epochs of students on sampled nodes and on all nodes, on graphs of ogbn-arxiv's shape that grow.

Every size has the same numbers of training and validation nodes, and a process of its own:
``python -m bench.sampled '{"scale": ..., "method": ...}'`` prints what it spent as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from bench.clock import Spread
from bench.epochs import short, uncalibrated
from bench.machine import forget_peak, resident_bytes
from bench.memory import in_process
from bench.results import Key, Line, Results
from bench.shapes import SHAPES, shaped_graph
from bench.threads import set_threads
from bench.workloads import Workload
from gkd_runner.training import student
from gkd_runner.training.fit import Fitted, fit
from gkd_runner.training.stage import Trained

SAMPLED = "sampled"
AXIS = "nodes (ogbn-arxiv's shape)"
SCALES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
METHODS = ("adaprop", "glnn")
"""The student on sampled nodes, and one that has all nodes in each epoch."""

OPTIONS = (
    "protocol=infgrand",
    "preset=none",
    "teacher.num_layers=2",
    "teacher.hidden_dim=256",
)
ONE_VARIANT = {"adaprop": ("method.further_hops=[]", "method.further_lams=[]")}
EPOCHS = 12
WARM = 2


@dataclass(frozen=True)
class Request:
    """A student's training; ``scale`` is the number of nodes in units of ogbn-arxiv's."""

    scale: float
    method: str
    device: str = "cpu"


@dataclass(frozen=True)
class Spent:
    """CPU seconds of each epoch, and the bytes by which all epochs raised the resident set."""

    epoch_seconds: list[float]
    training_bytes: int


def measured(device: torch.device, results: Results) -> Iterator[str]:
    """Measure every size; yield what is measured next."""
    nodes = SHAPES["ogbn-arxiv"].nodes
    results.workloads.setdefault(SAMPLED, {})
    for scale in SCALES:
        for method in METHODS:
            yield f"{method}, {round(scale * nodes):,} nodes"
            spent = Spent(
                **in_process("bench.sampled", asdict(Request(scale, method, str(device))))
            )
            cpu = Spread.of(spent.epoch_seconds)
            key = Key(SAMPLED, f"student {method}", str(round(scale * nodes)))
            results.lines.append(Line(key, "epoch", cpu, peak_bytes=spent.training_bytes))


def _spent(request: Request) -> Spent:
    workload = _workload(request.scale)
    config = workload.config("gcn", request.method, *ONE_VARIANT.get(request.method, ()))
    task, device = workload.task, torch.device(request.device)
    shape = len(task.observed), workload.graph.num_classes
    logits = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    teacher = Trained(task.seed, {}, logits, logits[:0], 1, [], 0.0)
    seconds: list[float] = []
    grown: list[int] = []

    def told(*_: object) -> None:
        seconds.append(time.process_time())

    def watched(*arguments: Any) -> Fitted:
        forget_peak()
        start = resident_bytes("VmRSS")
        fitted = fit(*arguments)
        grown.append(resident_bytes("VmHWM") - start)
        return fitted

    with patch.object(student, "fit", watched):
        labels = [uncalibrated(teacher)]
        student.train_students([task], labels, short(config, EPOCHS), device, told)
    epochs = np.diff(seconds)[WARM:].tolist()
    return Spent(epochs, grown[0])


def _workload(scale: float) -> Workload:
    shape = replace(SHAPES["ogbn-arxiv"], split=None).scaled(scale)
    return Workload(SAMPLED, "synthetic", OPTIONS, shaped_graph(SAMPLED, shape))


def curves(results: Results) -> tuple[dict[str, Points], dict[str, Points]]:
    """Per student, the CPU milliseconds of an epoch and the MiB of training, against nodes."""
    times: dict[str, Points] = {}
    memory: dict[str, Points] = {}
    for line in results.lines:
        if line.key.workload == SAMPLED and line.cpu and line.peak_bytes:
            nodes = float(line.key.contender)
            times.setdefault(line.key.part, []).append((nodes, 1e3 * line.cpu.median))
            memory.setdefault(line.key.part, []).append((nodes, line.peak_bytes / 2**20))
    return times, memory


Points = list[tuple[float, float]]


if __name__ == "__main__":
    set_threads(["--threads", os.environ.get("OMP_NUM_THREADS", "2")])
    print(json.dumps(asdict(_spent(Request(**json.loads(sys.argv[1]))))))
