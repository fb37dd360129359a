"""What HGMD's subgraphs cost: seconds per epoch of the student, beside GLNN's on the same task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from gkd_runner.options.schema import Config, MethodConfig
from gkd_runner.runs.reload import ReloadedSeed
from gkd_runner.studies.timing import clock
from gkd_runner.training.student import train_students

EPOCHS = 12
WARM_UP = 3
"""Epochs of a turn, and how many of these do not count."""

TURNS = 3
"""The methods take turns, so that a machine that slows down slows all of them."""


def seconds_per_epoch(
    seed: ReloadedSeed, methods: Mapping[str, MethodConfig], device: torch.device
) -> dict[str, float]:
    """Median seconds of an epoch (training and validation) by method, on one seed's soft labels."""
    gaps: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(TURNS):
        for name, method in methods.items():
            gaps[name] += _gaps(seed, method, device)
    return {name: float(np.median(found)) for name, found in gaps.items()}


def _gaps(seed: ReloadedSeed, method: MethodConfig, device: torch.device) -> Sequence[float]:
    config: Config = seed.config
    now, ends = clock(device), list[float]()
    training = replace(config.training, max_epochs=EPOCHS, patience=EPOCHS)
    train_students(
        [seed.task],
        [seed.teacher.observed],
        method,
        config.student,
        training,
        device,
        lambda *_: ends.append(now()),
    )
    found: Sequence[float] = np.diff(ends)[WARM_UP - 1 :].tolist()
    return found
