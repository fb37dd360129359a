"""Epochs of the plain reference: one step, then every node evaluated."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.clock import Block, Effort, Enough, EpochClock, Sample
from bench.plain.losses import LOSSES, Lesson
from bench.plain.models import plain_student, plain_teacher
from bench.plain.propagate import Edges
from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task
from gkd_runner.graph.influence import node_influence
from gkd_runner.options.schema import Config, StudentConfig, TeacherConfig

StepLoss = Callable[[Tensor, int, Tensor | None], Tensor]


class PlainTraining:
    """A model, its dense features and its loss; ``epochs`` trains it."""

    def __init__(
        self,
        model: nn.Module,
        x: Tensor,
        task: Task,
        loss: StepLoss,
        options: TeacherConfig | StudentConfig,
    ) -> None:
        self.model, self._x, self._loss, self._options = model, x, loss, options
        device = x.device
        self._labels = torch.from_numpy(task.training_graph.labels).to(device)
        parts = (task.seen.train, task.seen.val, task.seen.test)
        self._parts = [torch.from_numpy(part).to(device) for part in parts]

    def epochs(self) -> Iterator[float]:
        """Train; yield the loss of each epoch before its step."""
        optimizer = torch.optim.Adam(
            self.model.parameters(),
            lr=self._options.learning_rate,
            weight_decay=self._options.weight_decay,
        )
        previous, best = None, -1.0
        for epoch in count(1):
            self.model.train()
            loss = self._loss(self.model(self._x), epoch, previous)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            self.model.eval()
            with torch.no_grad():
                previous = self.model(self._x)
                accuracy = self._evaluate(previous)[1]
            if accuracy >= best:
                best, self.best = accuracy, copy.deepcopy(self.model.state_dict())
            yield loss.item()

    def _evaluate(self, logits: Tensor) -> list[float]:
        """Accuracy on the training, validation and test nodes, beside the validation loss."""
        accuracies = []
        for part in self._parts:
            right = logits[part].argmax(1) == self._labels[part]
            accuracies.append(right.float().mean().item())
        val = self._parts[1]
        F.cross_entropy(logits[val], self._labels[val]).item()
        return accuracies


def plain_teacher_training(task: Task, config: Config, device: torch.device) -> PlainTraining:
    """A teacher on the training graph."""
    graph = task.training_graph
    model = plain_teacher(config.teacher, graph, device)
    train, labels = (torch.from_numpy(a).to(device) for a in (task.seen.train, graph.labels))

    def loss(logits: Tensor, epoch: int, previous: Tensor | None) -> Tensor:
        return F.cross_entropy(logits[train], labels[train])

    return PlainTraining(model, dense(graph.features, device), task, loss, config.teacher)


def plain_student_training(
    task: Task, config: Config, teacher_logits: Tensor, device: torch.device
) -> PlainTraining:
    """A student on the training graph, taught by these logits ``[n, C]``."""
    graph = task.training_graph
    model = plain_student(config.student, graph, device)
    influence = np.zeros(graph.num_nodes, dtype=np.float32)
    if config.method.name == "infgrand":
        found = node_influence(graph, config.method.self_loops)
        influence = getattr(found, "scores", found)  # older versions give the scores alone
    lesson = Lesson(
        config,
        Edges(graph.adjacency, device),
        torch.from_numpy(task.seen.train).to(device),
        torch.from_numpy(graph.labels).to(device),
        teacher_logits.to(device),
        torch.from_numpy(influence).to(device),
    )
    x = student_features(graph, config, device)
    return PlainTraining(model, x, task, LOSSES[config.method.name](lesson), config.student)


def student_features(graph: GraphData, config: Config, device: torch.device) -> Tensor:
    """Raw features; InfGraND's are the mean of those propagated over 0 to P hops."""
    x = dense(graph.features, device)
    hops = getattr(config.method, "propagation_hops", 0)
    if not hops:
        return x
    loops = config.method.self_loops * sp.eye_array(graph.num_nodes, format="csr")
    looped = graph.adjacency + loops
    root = sp.diags_array(np.asarray(looped.sum(axis=1)).ravel() ** -0.5)
    matrix = sp.csr_array(root @ looped @ root, dtype=np.float32)
    hop, total = x.cpu().numpy(), x.cpu().numpy().copy()
    for _ in range(hops):
        hop = matrix @ hop
        total += hop
    return torch.from_numpy(total / np.float32(hops + 1)).to(device)


def dense(features: sp.csr_array | np.ndarray, device: torch.device) -> Tensor:
    """``[n, d]`` with every zero stored."""
    array = features.toarray() if sp.issparse(features) else features
    return torch.from_numpy(np.asarray(array, dtype=np.float32)).to(device)


def plain_block(training: PlainTraining, effort: Effort, device: torch.device) -> Block:
    """Epochs of one training after another; each starts from the weights of the last."""

    def block() -> list[Sample]:
        clock = EpochClock(effort, device)
        try:
            for epoch, _ in enumerate(training.epochs(), 1):
                clock((), epoch, ())
        except Enough:
            pass
        return clock.samples

    return block
