"""The students' features, whole or in batches of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gkd_runner.common.processes import ALONE, ProcessGroup, Window
from gkd_runner.common.seeding import generator
from gkd_runner.data.graph import GraphData, IntArray
from gkd_runner.data.task import Task, once_per_object
from gkd_runner.graph.features import Features
from gkd_runner.methods.base import Method
from gkd_runner.methods.objective import LabelTarget, SoftTarget, take_rows
from gkd_runner.models.inputs import Inputs, make_inputs, row_inputs
from gkd_runner.models.mlp import Mlp
from gkd_runner.options.schema import StudentConfig
from gkd_runner.training.batches import pieces
from gkd_runner.training.stage import own_rows

ROWS_AT_ONCE = 8192
"""Nodes that pass through a student at once without gradients, where training is in batches."""


class StudentBatch(NamedTuple):
    """The inputs of some nodes of each replica, their labels, and their share of an epoch's nodes.

    ``rows`` ``[R, b]`` are the rows of the soft target that belong to them, ``None`` for all, and
    each stands for ``scale`` nodes. With a ``window`` these are one process's nodes of a batch.
    """

    inputs: Inputs
    labels: LabelTarget
    rows: Int[Tensor, "R b"] | None
    share: float
    scale: Float[Tensor, " b"] | None = None
    window: Window | None = None

    def of(self, target: SoftTarget) -> SoftTarget:
        """The batch's part of a soft target, as an estimate of the whole."""
        if self.rows is None or self.scale is None:
            return target
        mass = take_rows(target.mass, self.rows) * self.scale.unsqueeze(1)
        part = 1.0 if self.window is None else self.window.share
        return SoftTarget(mass, part * target.constant)


@dataclass(frozen=True, eq=False)
class StudentData:
    """The students' features, for one chunk of replicas.

    ``propagated`` gives the features that the student reads of a graph. ``width`` is the number of
    outputs of the students' first layer, before which ``input_drop`` is dropped. With
    ``batch_size``, or with ``sampled`` nodes per epoch, the features stay on the host, and the
    device gets those of some nodes at a time. The ``processes`` divide each batch.
    """

    tasks: Sequence[Task]
    propagated: Callable[[GraphData], Features]
    device: torch.device
    width: int
    batch_size: int | None = None
    processes: ProcessGroup = ALONE
    sampled: int | None = None
    input_drop: float = 0.0

    @staticmethod
    def of(
        tasks: Sequence[Task],
        method: Method[Any],
        device: torch.device,
        student: StudentConfig,
        batch_size: int | None,
        processes: ProcessGroup = ALONE,
    ) -> StudentData:
        """The features that ``method`` reads of the training graphs, for such a student."""
        width = student.hidden_dim if student.num_layers > 1 else tasks[0].graph.num_classes
        return StudentData(
            tasks,
            method.features,
            device,
            width,
            batch_size,
            processes,
            student.sampled_nodes,
            student.input_dropout,
        )

    @property
    def in_pieces(self) -> bool:
        """True if the device gets some nodes at a time."""
        return self.batch_size is not None or self.sampled is not None

    @cached_property
    def features(self) -> list[Features]:
        """Of each training graph, multiplied out if the device gets some nodes at a time."""
        return self._features([task.training_graph for task in self.tasks])

    @cached_property
    def observed(self) -> Inputs:
        """All observed nodes."""
        make = row_inputs if self.input_drop else make_inputs
        return make(self.features, self.device, self.width)

    @property
    def everything(self) -> Iterable[Inputs]:
        """All observed nodes, in one piece or in several."""
        if not self.in_pieces:
            return [self.observed]
        nodes = [np.arange(len(task.observed)) for task in self.tasks]
        return Pieces(self.features, nodes, self.device)

    def part(self, name: str) -> Iterable[Inputs]:
        """The nodes of one part of the split, in its order, in one piece or in several."""
        nodes = [getattr(task.seen, name) for task in self.tasks]
        if not self.in_pieces:
            return [self._rows(nodes)]
        return Pieces(self.features, nodes, self.device)

    @cached_property
    def hidden(self) -> Iterable[Inputs]:
        """The hidden nodes; propagated features reach them over the whole graph."""
        features = self._features([task.graph for task in self.tasks])
        nodes = [task.hidden for task in self.tasks]
        rows = [f.rows(ids) for f, ids in zip(features, nodes, strict=True)]
        if not self.in_pieces:
            return [row_inputs(rows, self.device)]
        return Pieces(rows, [np.arange(len(ids)) for ids in nodes], self.device)

    def batches(self, train: LabelTarget, distils: bool) -> Iterable[StudentBatch]:
        """The batches of each epoch: of observed nodes, or of those with labels ``train``."""
        if self.in_pieces:
            return StudentBatches.of(self, train, distils)
        if distils:
            return [StudentBatch(self.observed, train, None, 1.0)]
        (inputs,) = self.part("train")
        return [StudentBatch(inputs, own_rows(train), None, 1.0)]

    def _features(self, graphs: Sequence[GraphData]) -> list[Features]:
        features = once_per_object(graphs, self.propagated)
        return once_per_object(features, Features.multiplied_out) if self.in_pieces else features

    def _rows(self, nodes: Sequence[IntArray]) -> Inputs:
        rows = [f.rows(ids) for f, ids in zip(self.features, nodes, strict=True)]
        return row_inputs(rows, self.device, self.width)


@dataclass(frozen=True, eq=False)
class Pieces:
    """The features of some nodes of each replica, piece by piece, in their order."""

    features: Sequence[Features]
    nodes: Sequence[IntArray]
    device: torch.device

    def __iter__(self) -> Iterator[Inputs]:
        for part in pieces(len(self.nodes[0]), ROWS_AT_ONCE):
            rows = [f.rows(ids[part]) for f, ids in zip(self.features, self.nodes, strict=True)]
            yield row_inputs(rows, self.device)


@dataclass(frozen=True, eq=False)
class StudentBatches:
    """Mini-batches of nodes, in each epoch in another order, or a single one that is drawn.

    ``nodes`` ``[m]`` of each replica are divided; ``classes`` and ``weights`` are of their labels,
    with weight 0 where a node has none.
    """

    data: StudentData
    nodes: Sequence[IntArray]
    classes: Int[Tensor, "R m"]
    weights: Float[Tensor, "R m"]
    distils: bool
    orders: Sequence[np.random.Generator]

    @staticmethod
    def of(data: StudentData, train: LabelTarget, distils: bool) -> StudentBatches:
        """Batches of all observed nodes, or of those with labels ``train`` alone."""
        orders = [generator(task.seed, "student batches") for task in data.tasks]
        if not distils:
            nodes = [task.seen.train for task in data.tasks]
            return StudentBatches(data, nodes, train.classes, train.weights, False, orders)
        nodes = [np.arange(len(task.observed)) for task in data.tasks]
        shape = (len(nodes), len(nodes[0]))
        classes = train.classes.new_zeros(shape).scatter_(1, train.rows, train.classes)
        weights = train.weights.new_zeros(shape).scatter_(1, train.rows, train.weights)
        return StudentBatches(data, nodes, classes, weights, True, orders)

    @cached_property
    def _strata(self) -> list[list[IntArray]]:
        """Positions in ``nodes``: of the training nodes, which are few, and of the others."""
        train = [task.seen.train for task in self.data.tasks]
        if not self.distils:
            return [[np.arange(len(own)) for own in train]]
        others = [np.setdiff1d(all_, own) for all_, own in zip(self.nodes, train, strict=True)]
        return [train, others]

    def __iter__(self) -> Iterator[StudentBatch]:
        if self.data.sampled is not None:
            yield self._drawn(self.data.sampled)
            return
        total = len(self.nodes[0])
        orders = [order.permutation(total) for order in self.orders]
        for part in pieces(total, self.data.batch_size or total):
            count = part.stop - part.start
            positions = [order[part] for order in orders]
            yield self._batch(positions, count / total, torch.full((count,), total / count))

    def _drawn(self, most: int) -> StudentBatch:
        """At most so many nodes of each stratum, which stand for all of it."""
        counts = [min(most, len(stratum[0])) for stratum in self._strata]
        positions = [
            np.concatenate(
                [
                    stratum[replica][order.choice(len(stratum[replica]), count, replace=False)]
                    for stratum, count in zip(self._strata, counts, strict=True)
                ]
            )
            for replica, order in enumerate(self.orders)
        ]
        scale = [
            torch.full((count,), len(stratum[0]) / max(count, 1))
            for stratum, count in zip(self._strata, counts, strict=True)
        ]
        return self._batch(positions, 1.0, torch.cat(scale))

    def _batch(self, positions: Sequence[IntArray], share: float, scale: Tensor) -> StudentBatch:
        features, device = self.data.features, self.data.device
        window = self.data.processes.window(len(positions[0]))
        if window is not None:
            positions = [own[window.start : window.stop] for own in positions]
            scale = scale[window.start : window.stop]
        rows = [
            f.rows(ids[own]) for f, ids, own in zip(features, self.nodes, positions, strict=True)
        ]
        if self.data.input_drop:  # so that its draws do not depend on who else has rows
            rows = [Features(f.dense()) for f in rows]
        index, scale = torch.from_numpy(np.stack(positions)).to(device), scale.to(device)
        labels = LabelTarget(
            torch.arange(index.shape[1], device=device).expand_as(index),
            self.classes.gather(1, index),
            self.weights.gather(1, index) * scale,
        )
        inputs = row_inputs(rows, device)
        return StudentBatch(inputs, labels, index if self.distils else None, share, scale, window)


def answers(model: Mlp, inputs: Iterable[Inputs]) -> Float[Tensor, "R n C"]:
    """Logits without dropout of all pieces."""
    logits: list[Tensor] = [model(piece) for piece in inputs]
    return logits[0] if len(logits) == 1 else torch.cat(logits, dim=1)
