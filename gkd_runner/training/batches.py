"""Mini-batches of nodes: their order in each epoch, and what a teacher reads for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from gkd_runner.common.seeding import generator
from gkd_runner.data.graph import IntArray
from gkd_runner.data.task import Task, once_per_object
from gkd_runner.graph.field import Field, receptive_field
from gkd_runner.graph.sampling import NeighbourSampler
from gkd_runner.methods.objective import LabelTarget
from gkd_runner.models.teacher import Operand, Teacher, View
from gkd_runner.options.schema import TrainingConfig
from gkd_runner.training.stage import label_target, labels_of, own_rows

Draw = Callable[[IntArray, np.random.Generator], Field]
"""The field of some nodes, with neighbours drawn by a generator."""


class TeacherBatch(NamedTuple):
    """A teacher's view of some nodes of each replica, their labels, and their share of all."""

    view: View[Any]
    target: LabelTarget
    share: float


def pieces(total: int, size: int) -> list[slice]:
    """Consecutive ranges of at most ``size`` of ``total`` items."""
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


def full_batch(
    model: Teacher[Any], tasks: Sequence[Task], part: str, device: torch.device
) -> list[TeacherBatch]:
    """All nodes in ``part`` of the tasks' splits, in a single batch."""
    graphs = [task.training_graph for task in tasks]
    view = model.view(graphs, device, [getattr(task.seen, part) for task in tasks])
    return [TeacherBatch(view, own_rows(label_target(tasks, part, device)), 1.0)]


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """The source of a teacher's mini-batches: each replica's operand, and how fields are drawn."""

    model: Teacher[Any]
    tasks: Sequence[Task]
    operands: Sequence[Operand]
    draws: Sequence[Draw]
    batch_size: int
    device: torch.device

    @staticmethod
    def of(
        model: Teacher[Any], tasks: Sequence[Task], training: TrainingConfig, device: torch.device
    ) -> Neighbourhoods:
        """Those of ``training.batch_size`` nodes with ``training.fan_outs``."""
        assert training.batch_size is not None
        operands = once_per_object([task.training_graph for task in tasks], model.operand)
        layers, fan_outs = len(model.weights), training.fan_outs

        def drawn(operand: Operand) -> Draw:
            if fan_outs is None:
                return lambda nodes, _: receptive_field(operand.operator, nodes, layers)
            return NeighbourSampler(operand.graph.adjacency, operand.operator, fan_outs).draw

        draws = once_per_object(operands, drawn)
        return Neighbourhoods(model, tasks, operands, draws, training.batch_size, device)

    def batch(
        self, nodes: Sequence[IntArray], generators: Sequence[np.random.Generator], share: float
    ) -> TeacherBatch:
        """The batch of ``nodes`` of each replica."""
        fields = [
            draw(ids, rng) for draw, ids, rng in zip(self.draws, nodes, generators, strict=True)
        ]
        view = self.model.field_view(self.operands, fields, self.device)
        target = own_rows(labels_of(self.tasks, nodes, self.device))
        return TeacherBatch(view, target, share)


@dataclass(frozen=True, eq=False)
class TrainingBatches:
    """The training nodes, in each epoch in another order and with other neighbours."""

    source: Neighbourhoods
    orders: Sequence[np.random.Generator]
    generators: Sequence[np.random.Generator]

    @staticmethod
    def of(source: Neighbourhoods) -> TrainingBatches:
        """Those of the source's tasks, each with random streams of its own."""
        seeds = [task.seed for task in source.tasks]
        orders, draws = (
            [generator(seed, name) for seed in seeds]
            for name in ("teacher batches", "neighbour sampling")
        )
        return TrainingBatches(source, orders, draws)

    def __iter__(self) -> Iterator[TeacherBatch]:
        nodes = [
            order.permutation(task.seen.train)
            for order, task in zip(self.orders, self.source.tasks, strict=True)
        ]
        return _batches(self.source, nodes, self.generators)


@dataclass(frozen=True, eq=False)
class ValidationBatches:
    """The validation nodes, in each epoch with the same neighbours, so that epochs compare."""

    source: Neighbourhoods

    def __iter__(self) -> Iterator[TeacherBatch]:
        tasks = self.source.tasks
        generators = [generator(task.seed, "validation neighbours") for task in tasks]
        return _batches(self.source, [task.seen.val for task in tasks], generators)


def _batches(
    source: Neighbourhoods, nodes: Sequence[IntArray], generators: Sequence[np.random.Generator]
) -> Iterator[TeacherBatch]:
    total = len(nodes[0])
    for part in pieces(total, source.batch_size):
        share = (part.stop - part.start) / total
        yield source.batch([ids[part] for ids in nodes], generators, share)
