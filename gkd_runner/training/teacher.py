"""The teacher stage: train a GNN per seed and take its logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task
from gkd_runner.methods.objective import cross_entropy
from gkd_runner.models.gnn import build_teacher
from gkd_runner.models.layers import Initializer
from gkd_runner.models.layerwise import layerwise
from gkd_runner.models.streams import Streams
from gkd_runner.models.teacher import Teacher
from gkd_runner.options.schema import TeacherConfig, TrainingConfig
from gkd_runner.training.batches import (
    Neighbourhoods,
    TeacherBatch,
    TrainingBatches,
    ValidationBatches,
    full_batch,
)
from gkd_runner.training.failures import OnFailure, raised
from gkd_runner.training.fit import BatchLoss, OnEpochs, Schedule, Validation, fit
from gkd_runner.training.metrics import selecting
from gkd_runner.training.stage import Trained, collect, validation
from gkd_runner.training.watch import Watch, likely_cause


class TeacherLesson:
    """Cross-entropy on the training nodes of the observed graphs.

    Each pass computes the receptive field of its batch's nodes, or a sample of it, and no other
    node.
    """

    def __init__(
        self,
        model: Teacher[Any],
        train: Iterable[TeacherBatch],
        val: Iterable[TeacherBatch],
        streams: Streams,
        select_by: str = "accuracy",
    ) -> None:
        self.model, self._select_by = model, select_by
        self._train, self._val, self._streams = train, val, streams

    @staticmethod
    def of(
        model: Teacher[Any],
        tasks: Sequence[Task],
        training: TrainingConfig,
        device: torch.device,
    ) -> TeacherLesson:
        """In full batches, or in mini-batches where ``training`` has a size of them."""
        streams = Streams([task.seed for task in tasks], "teacher dropout", device)
        select_by = training.select_by
        if training.batch_size is None:
            train, val = (full_batch(model, tasks, part, device) for part in ("train", "val"))
            return TeacherLesson(model, train, val, streams, select_by)
        source = Neighbourhoods.of(model, tasks, training, device)
        batches = TrainingBatches.of(source), ValidationBatches(source)
        return TeacherLesson(model, *batches, streams, select_by)

    def losses(self, epoch: int) -> Iterator[BatchLoss]:
        for view, target, share in self._train:
            yield BatchLoss(cross_entropy(self.model(view, self._streams), target), share)

    def validate(self) -> Validation:
        accuracies, losses, answers = [], [], []
        for view, target, share in self._val:
            logits = self.model(view)
            accuracy, loss, _ = validation(logits, target)
            accuracies.append(share * accuracy)
            losses.append(share * loss)
            answers.append((logits, target.classes))
        others = selecting(self._select_by, answers)
        return Validation(torch.stack(accuracies).sum(0), torch.stack(losses).sum(0), others)

    def logged(self) -> dict[str, Tensor]:
        return {}


def train_teachers(
    tasks: Sequence[Task],
    config: TeacherConfig,
    training: TrainingConfig,
    device: torch.device,
    on_epochs: OnEpochs,
    on_failure: OnFailure = raised,
) -> list[Trained]:
    """Train one teacher per task, all at once; those that fail are told and left out."""
    seeds = [task.seed for task in tasks]
    graph = tasks[0].graph
    init = Initializer(seeds, "teacher initialisation")
    model = build_teacher(config, graph.num_features, graph.num_classes, init).to(device)
    lesson = TeacherLesson.of(model, tasks, training, device)
    schedule = Schedule.of("teacher", config, training)
    fitted = fit(lesson, schedule, seeds, on_epochs)
    del lesson
    answer = _whole if training.batch_size is None else _layerwise
    observed, hidden = answer(model, config, tasks, device)
    watch = Watch(schedule.stage, lambda r: likely_cause(tasks[r], schedule), on_failure)
    return collect(tasks, model, observed, hidden, fitted, watch)


Logits = tuple[Float[Tensor, "R n C"], Float[Tensor, "R m C"]]
"""Of observed and of hidden nodes; those of hidden nodes read the whole graph."""


@torch.no_grad()
def _whole(
    model: Teacher[Any], config: TeacherConfig, tasks: Sequence[Task], device: torch.device
) -> Logits:
    """One pass over the graphs of all replicas."""
    observed: Tensor = model(model.view([task.training_graph for task in tasks], device))
    if not len(tasks[0].hidden):
        return observed, observed[:, :0]
    graphs, nodes = [task.graph for task in tasks], [task.hidden for task in tasks]
    return observed, model(model.view(graphs, device, nodes))


def _layerwise(
    model: Teacher[Any], config: TeacherConfig, tasks: Sequence[Task], device: torch.device
) -> Logits:
    """One replica after another, and one layer after another, in chunks of nodes."""
    state = model.state_dict()
    observed, hidden = [], []
    for r, task in enumerate(tasks):
        own = {name: value[r] for name, value in state.items()}
        sizes = task.graph.num_features, task.graph.num_classes
        one = _loaded(config, own, task.seed, sizes, device)
        observed.append(layerwise(one, one.operand(task.training_graph), device))
        whole = observed[-1][:0]
        if len(task.hidden):
            whole = layerwise(one, one.operand(task.graph), device)[torch.from_numpy(task.hidden)]
        hidden.append(whole)
    return torch.stack(observed), torch.stack(hidden)


def _loaded(
    config: TeacherConfig,
    state: Mapping[str, Tensor],
    seed: int,
    sizes: tuple[int, int],
    device: torch.device,
) -> Teacher[Any]:
    """One replica's teacher with these weights; ``sizes`` are of features and classes."""
    model = build_teacher(config, *sizes, Initializer([seed], "teacher initialisation"))
    model.load_state_dict({name: value.unsqueeze(0) for name, value in state.items()})
    return model.to(device)


def ask_teacher(
    teacher: Trained,
    config: TeacherConfig,
    training: TrainingConfig,
    graph: GraphData,
    classes: int,
    device: torch.device,
) -> Float[Tensor, "n C"]:
    """Logits, without dropout, of a trained teacher on ``graph``."""
    sizes = graph.num_features, classes
    model = _loaded(config, teacher.state, teacher.seed, sizes, device)
    if training.batch_size is not None:
        return layerwise(model, model.operand(graph), device).to(device)
    with torch.no_grad():
        logits: Tensor = model(model.view([graph], device))
    return logits[0]
