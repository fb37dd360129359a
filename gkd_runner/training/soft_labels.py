"""Soft labels: one teacher per seed, from the cache, trained or from a file, then calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gkd_runner.data.graph import FloatArray
from gkd_runner.data.task import Task
from gkd_runner.options.schema import Config, PrecomputedConfig
from gkd_runner.training.cache import TeacherCache, teacher_key
from gkd_runner.training.calibration import fit_temperature
from gkd_runner.training.failures import OnFailure, raised
from gkd_runner.training.fit import OnEpochs
from gkd_runner.training.precomputed import TeacherFile, doubts, warn_once
from gkd_runner.training.stage import Trained, chunks
from gkd_runner.training.teacher import train_teachers

Source = Callable[[Sequence[Task]], list[Trained]]
"""Makes the teachers of tasks: trains them, or reads them from a file."""


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """One seed's teacher, its key, and the temperature that calibrates it.

    ``cached`` tells that it was read from the cache.
    """

    teacher: Trained
    key: str
    cached: bool
    temperature: float

    @property
    def logits(self) -> FloatArray:
        """Calibrated logits of the observed nodes, ``[n_observed, C]``."""
        return self.teacher.observed_logits / np.float32(self.temperature)


def make_soft_labels(
    tasks: Sequence[Task],
    config: Config,
    device: torch.device,
    replicas: int,
    on_epochs: OnEpochs,
    on_failure: OnFailure = raised,
) -> list[SoftLabels]:
    """Take each seed's teacher from the cache or make it, ``replicas`` at once; calibrate.

    Seeds whose teacher fails are told and left out.
    """
    store = TeacherCache(Path(config.cache_dir).expanduser(), config.cache)
    source = _source(config, device, on_epochs, on_failure)
    soft_labels: list[SoftLabels] = []
    for chunk in chunks(tasks, replicas):
        keys = [key_of(task, config, device) for task in chunk]

        def make(positions: Sequence[int], chunk: Sequence[Task] = chunk) -> list[Trained | None]:
            wanted = [chunk[position] for position in positions]
            made = {teacher.seed: teacher for teacher in source(wanted)}
            return [made.get(task.seed) for task in wanted]

        teachers, hits = store.get_or_train(keys, make)
        for task, teacher, key, hit in zip(chunk, teachers, keys, hits, strict=True):
            if teacher is None:
                continue
            temperature = 1.0
            if config.calibration == "temperature":
                temperature = validation_temperature(task, teacher)
            soft_labels.append(SoftLabels(teacher, key, hit, temperature))
    if isinstance(config.teacher, PrecomputedConfig):
        for doubt in doubts(tasks, [labels.teacher for labels in soft_labels]):
            warn_once(config.teacher.logits, doubt)
    return soft_labels


def key_of(task: Task, config: Config, device: torch.device) -> str:
    """The key of the teacher of ``task`` in the cache."""
    return teacher_key(
        task, config.teacher, config.training, device, deterministic=config.deterministic
    )


def _source(
    config: Config, device: torch.device, on_epochs: OnEpochs, on_failure: OnFailure
) -> Source:
    if isinstance(config.teacher, PrecomputedConfig):
        return TeacherFile(config.teacher).teachers
    gnn, training = config.gnn, config.training
    return lambda tasks: train_teachers(tasks, gnn, training, device, on_epochs, on_failure)


def validation_temperature(task: Task, teacher: Trained) -> float:
    """The temperature fitted on the task's validation nodes."""
    val = task.seen.val
    return fit_temperature(teacher.observed_logits[val], task.training_graph.labels[val])
