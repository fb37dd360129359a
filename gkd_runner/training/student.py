"""The student stage: distil soft labels into one MLP per seed, by the configured method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task, once_per_object
from gkd_runner.graph.batch import batch_graphs
from gkd_runner.graph.features import Features
from gkd_runner.methods import build_method
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.objective import cross_entropy, distillation
from gkd_runner.models.inputs import Inputs, make_inputs, row_inputs
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp, build_student
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import Config
from gkd_runner.training.fit import OnEpochs, Schedule, Validation, fit
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import (
    Trained,
    chunks,
    collect,
    label_target,
    own_rows,
    validation,
)
from gkd_runner.training.teacher import ask_teacher


@dataclass(frozen=True, eq=False)
class StudentData:
    """The students' features, for one chunk of replicas.

    ``width`` is the number of outputs of the students' first layer.
    """

    tasks: Sequence[Task]
    features: Sequence[Features]
    device: torch.device
    width: int

    @cached_property
    def observed(self) -> Inputs:
        """All observed nodes."""
        return make_inputs(self.features, self.device, self.width)

    def part(self, name: str) -> Inputs:
        """The nodes of one part of the split, in its order."""
        rows = [
            features.rows(getattr(task.seen, name))
            for features, task in zip(self.features, self.tasks, strict=True)
        ]
        return row_inputs(rows, self.device, self.width)


class StudentLesson:
    """The one objective, on labels and soft labels or on labels alone.

    Without soft labels only the training nodes pass through the model; validation needs only
    its own nodes, unless the method watches the student on all of them.
    """

    def __init__(
        self, model: Mlp, method: Method[Any], data: StudentData, streams: Streams
    ) -> None:
        self.model, self._method, self._streams = model, method, streams
        device = data.device
        self._lam, self._tau = method.config.lam, method.config.tau
        train = label_target(data.tasks, "train", device)
        train = replace(train, weights=method.label_weights(train.rows))
        val = label_target(data.tasks, "val", device)
        self._distils = self._lam < 1
        self._inputs = data.observed if self._distils else data.part("train")
        self._train = train if self._distils else own_rows(train)
        self._watches = self._distils and method.watches_student
        self._val_inputs = self._inputs if self._watches else data.part("val")
        self._val = val if self._watches else own_rows(val)
        self._watched: Tensor | None = None

    def loss(self, epoch: int) -> Float[Tensor, " R"]:
        logits = self.model(self._inputs, self._streams)
        total: Tensor = logits.new_zeros(logits.shape[0])
        if self._lam > 0:
            total = total + self._lam * cross_entropy(logits, self._train)
        if self._distils:
            target = self._method.soft_target(epoch, self._watched)
            assert target is not None, "config rules: a method without soft targets has lam = 1"
            total = total + (1 - self._lam) * distillation(logits, target, self._tau)
        return total

    def validate(self) -> Validation:
        logits = self.model(self._val_inputs)
        if self._watches:
            self._watched = logits
        return validation(logits, self._val)

    def logged(self) -> Mapping[str, Tensor]:
        return self._method.logged()


def train_all_students(
    tasks: Sequence[Task],
    soft_labels: Sequence[SoftLabels],
    config: Config,
    device: torch.device,
    replicas: int,
    on_epochs: OnEpochs,
) -> list[Trained]:
    """Train every seed's student, ``replicas`` at once."""
    trained: list[Trained] = []
    for chunk in chunks(list(zip(tasks, soft_labels, strict=True)), replicas):
        trained += train_students(
            [task for task, _ in chunk],
            [labels for _, labels in chunk],
            config,
            device,
            on_epochs,
        )
    return trained


def train_students(
    tasks: Sequence[Task],
    soft_labels: Sequence[SoftLabels],
    config: Config,
    device: torch.device,
    on_epochs: OnEpochs,
) -> list[Trained]:
    """Train one student per task, all at once, on the soft labels of its teacher."""
    seeds = [task.seed for task in tasks]
    method = build_method(config.method)
    graphs = [task.training_graph for task in tasks]
    graph = batch_graphs([g.adjacency for g in graphs], device)
    classes = tasks[0].graph.num_classes
    logits = torch.stack([torch.from_numpy(labels.logits) for labels in soft_labels]).to(device)

    def answer(replica: int, graph: GraphData) -> Tensor:
        labels = soft_labels[replica]
        raw = ask_teacher(labels.teacher, config.teacher, graph, classes, device)
        return raw / labels.temperature

    method.prepare(Classroom(tasks, graph, logits, config.training.max_epochs, answer))
    init = Initializer(seeds, "student initialisation")
    model = build_student(config.student, graphs[0].num_features, classes, init)
    model = model.to(device)
    features = once_per_object(graphs, method.features)
    data = StudentData(tasks, features, device, model.weights[0].shape[2])
    lesson = StudentLesson(model, method, data, Streams(seeds, "student dropout", device))
    fitted = fit(lesson, Schedule.of("student", config.student, config.training), seeds, on_epochs)
    with torch.no_grad():
        observed = model(data.observed)
        hidden = _hidden_logits(model, method, observed, tasks)
    return collect(tasks, model, observed, hidden, fitted)


def _hidden_logits(
    model: Mlp, method: Method[Any], observed: Tensor, tasks: Sequence[Task]
) -> Tensor:
    """Logits of the hidden nodes; propagated features reach them over the whole graph."""
    if not len(tasks[0].hidden):
        return observed[:, :0]
    features = once_per_object([task.graph for task in tasks], method.features)
    rows = [f.rows(task.hidden) for f, task in zip(features, tasks, strict=True)]
    logits: Tensor = model(row_inputs(rows, observed.device))
    return logits
