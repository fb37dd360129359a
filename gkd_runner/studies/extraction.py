"""Seconds per epoch of students; HGMD's beyond GLNN's are the cost of its subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from gkd_runner.options.schema import MethodConfig
from gkd_runner.runs.reload import ReloadedSeed
from gkd_runner.serving.timing import clock
from gkd_runner.training.student import train_students

EPOCHS = 12
"""Epochs of one turn of a method."""

WARM_UP = 3
"""Epochs of a turn that do not count."""

TURNS = 3
"""Turns of each method. The methods take turns, so that a slower machine slows all of them."""


def seconds_per_epoch(
    seed: ReloadedSeed, methods: Mapping[str, MethodConfig], device: torch.device
) -> dict[str, float]:
    """Median seconds of an epoch (training and validation) by method, on one seed's soft labels."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(TURNS):
        for name, method in methods.items():
            seconds[name] += _turn(seed, method, device)
    return {name: float(np.median(times)) for name, times in seconds.items()}


def _turn(seed: ReloadedSeed, method: MethodConfig, device: torch.device) -> list[float]:
    now, ends = clock(device), list[float]()
    training = replace(seed.config.training, max_epochs=EPOCHS, patience=EPOCHS)
    train_students(
        [seed.task],
        [seed.soft_labels],
        replace(seed.config, method=method, training=training),
        device,
        lambda *_: ends.append(now()),
    )
    return list(map(float, np.diff(ends)[WARM_UP - 1 :]))
