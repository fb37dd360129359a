"""The teacher stage: train a GNN per seed and take its logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gkd_runner.data.task import Task
from gkd_runner.methods.objective import cross_entropy, take_rows
from gkd_runner.models.gnn import Teacher, build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import TeacherConfig, TrainingConfig
from gkd_runner.training.fit import OnEpochs, Schedule, Validation, fit
from gkd_runner.training.stage import (
    Trained,
    collect,
    label_target,
    stack_ids,
    validation,
)


class TeacherLesson:
    """Cross-entropy on the training nodes of the observed graphs."""

    def __init__(
        self, model: Teacher, tasks: Sequence[Task], device: torch.device, streams: Streams
    ) -> None:
        self.model = model
        self.view = model.view([task.training_graph for task in tasks], device)
        self._streams = streams
        self._train = label_target(tasks, "train", device)
        self._val = label_target(tasks, "val", device)

    def loss(self, epoch: int) -> Tensor:
        return cross_entropy(self.model(self.view, self._streams), self._train)

    def validate(self) -> Validation:
        return validation(self.model(self.view), self._val)


def train_teachers(
    tasks: Sequence[Task],
    config: TeacherConfig,
    training: TrainingConfig,
    device: torch.device,
    on_epochs: OnEpochs,
) -> list[Trained]:
    """Train one teacher per task, all at once."""
    seeds = [task.seed for task in tasks]
    graph = tasks[0].graph
    init = Initializer(seeds, "teacher initialisation")
    model = build_teacher(config, graph.num_features, graph.num_classes, init).to(device)
    lesson = TeacherLesson(model, tasks, device, Streams(seeds, "teacher dropout", device))
    fitted = fit(lesson, Schedule.of("teacher", config, training), seeds, on_epochs)
    with torch.no_grad():
        observed = model(lesson.view)
        hidden = _hidden_logits(model, observed, tasks, device)
    return collect(tasks, model, observed, hidden, fitted)


def _hidden_logits(
    model: Teacher, observed: Tensor, tasks: Sequence[Task], device: torch.device
) -> Tensor:
    """Logits of the hidden nodes, from a pass over the whole graph."""
    if not len(tasks[0].hidden):
        return observed[:, :0]
    whole = model(model.view([task.graph for task in tasks], device))
    rows = stack_ids([task.hidden for task in tasks], device)
    return take_rows(whole, rows)
