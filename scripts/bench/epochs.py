"""Epochs of this package's training, measured from its callback alone.

Only ``train_teachers`` and ``train_students`` are called, so that the same file measures older
commits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import torch

from bench.clock import Block, Effort, Enough, EpochClock, Sample
from gkd_runner.data.task import Task
from gkd_runner.options.schema import Config
from gkd_runner.training.fit import OnEpochs
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from gkd_runner.training.student import train_students
from gkd_runner.training.teacher import train_teachers


def silent(*_: object) -> None:
    """Report to nobody."""


def teacher_block(
    tasks: Sequence[Task], config: Config, effort: Effort, device: torch.device
) -> Block:
    """Epochs of all tasks' teachers together; their training starts anew in each block."""

    def train(on_epochs: OnEpochs) -> object:
        return train_teachers(tasks, config.teacher, config.training, device, on_epochs)

    return lambda: _epochs(train, effort, device)


def student_block(
    tasks: Sequence[Task],
    teachers: Sequence[Trained],
    config: Config,
    effort: Effort,
    device: torch.device,
) -> Block:
    """Epochs of all tasks' students together; what a method computes beforehand does not count."""
    labels = [uncalibrated(teacher) for teacher in teachers]

    def train(on_epochs: OnEpochs) -> object:
        return train_students(tasks, labels, config, device, on_epochs)

    return lambda: _epochs(train, effort, device)


def _epochs(
    train: Callable[[OnEpochs], object], effort: Effort, device: torch.device
) -> list[Sample]:
    clock = EpochClock(effort, device)
    with suppress(Enough):
        train(clock)
    return clock.samples


def uncalibrated(teacher: Trained) -> SoftLabels:
    """The teacher's own logits as soft labels."""
    return SoftLabels(teacher, "", cached=False, temperature=1.0)


def short(config: Config, epochs: int) -> Config:
    """The configuration with that many epochs."""
    return replace(config, training=replace(config.training, max_epochs=epochs))


def taught(
    tasks: Sequence[Task], config: Config, epochs: int, device: torch.device
) -> list[Trained]:
    """Each task's teacher after a few epochs, with its soft labels."""
    training = short(config, epochs).training
    return train_teachers(tasks, config.teacher, training, device, silent)


def distilled(
    tasks: Sequence[Task], teachers: Sequence[Trained], config: Config, device: torch.device
) -> list[Trained]:
    """Each task's student."""
    labels = [uncalibrated(teacher) for teacher in teachers]
    return train_students(tasks, labels, config, device, silent)
