"""The teacher stage: train a GNN per seed and take its logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task
from gkd_runner.methods.objective import cross_entropy
from gkd_runner.models.gnn import Teacher, build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import TeacherConfig, TrainingConfig
from gkd_runner.training.fit import OnEpochs, Schedule, Validation, fit
from gkd_runner.training.stage import (
    Trained,
    collect,
    label_target,
    own_rows,
    validation,
)


class TeacherLesson:
    """Cross-entropy on the training nodes of the observed graphs.

    Each pass computes the receptive field of the nodes that it is for, and no other node.
    """

    def __init__(
        self, model: Teacher[Any], tasks: Sequence[Task], device: torch.device, streams: Streams
    ) -> None:
        self.model = model
        self._streams = streams
        graphs = [task.training_graph for task in tasks]
        self._train_view = model.view(graphs, device, [task.seen.train for task in tasks])
        self._val_view = model.view(graphs, device, [task.seen.val for task in tasks])
        self._train = own_rows(label_target(tasks, "train", device))
        self._val = own_rows(label_target(tasks, "val", device))

    def loss(self, epoch: int) -> Tensor:
        return cross_entropy(self.model(self._train_view, self._streams), self._train)

    def validate(self) -> Validation:
        return validation(self.model(self._val_view), self._val)

    def logged(self) -> dict[str, Tensor]:
        return {}


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
    del lesson
    with torch.no_grad():
        observed = model(model.view([task.training_graph for task in tasks], device))
        hidden = _hidden_logits(model, observed, tasks)
    return collect(tasks, model, observed, hidden, fitted)


def _hidden_logits(model: Teacher[Any], observed: Tensor, tasks: Sequence[Task]) -> Tensor:
    """Logits of the hidden nodes, which read the whole graph."""
    if not len(tasks[0].hidden):
        return observed[:, :0]
    graphs, hidden = [task.graph for task in tasks], [task.hidden for task in tasks]
    logits: Tensor = model(model.view(graphs, observed.device, hidden))
    return logits


def ask_teacher(
    teacher: Trained, config: TeacherConfig, graph: GraphData, classes: int, device: torch.device
) -> Float[Tensor, "n C"]:
    """Logits, without dropout, of a trained teacher on ``graph``."""
    init = Initializer([teacher.seed], "teacher initialisation")
    model = build_teacher(config, graph.num_features, classes, init)
    model.load_state_dict({name: value.unsqueeze(0) for name, value in teacher.state.items()})
    model = model.to(device)
    with torch.no_grad():
        logits: Tensor = model(model.view([graph], device))
    return logits[0]
