"""Training with all tensors on a second device, which stands in for a GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from second_device import CUDA, MixedDevices, SecondDevice, second_device
from support import CPU, LIVELY, config, small_graph, small_tasks

from gkd_runner.common.seeding import stream_seed
from gkd_runner.data.task import Task
from gkd_runner.methods import METHODS
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import Config
from gkd_runner.training import student, teacher
from gkd_runner.training.fit import Fitted, fit
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from gkd_runner.training.student import train_students
from gkd_runner.training.teacher import train_teachers

SEEDS = (3, 4)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Any:
    with second_device(monkeypatch) as found:
        yield found

class Waits:
    """For each epoch of a stage, how often the host waited for the device."""

    def __init__(self, device: SecondDevice, patch: pytest.MonkeyPatch) -> None:
        self._device, self._seen = device, Counter[str]()
        self.epochs: list[Counter[str]] = []

        def started(*arguments: Any) -> Fitted:
            self._seen = device.waits.copy()
            return fit(*arguments)

        for stage in (student, teacher):
            patch.setattr(stage, "fit", started)

    def __call__(self, *_: object) -> None:
        self.epochs.append(self._device.waits - self._seen)
        self._seen = self._device.waits.copy()
