"""What a method is: three decisions about the one objective.

Which features the student reads, how much each label counts, and how teacher probabilities
aggregate into soft targets (once, or anew each epoch from the detached student).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.features import Features
from gkd_runner.graph.ops import gather
from gkd_runner.methods.objective import SoftTarget, negative_entropy
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import MethodConfig

ConfigT = TypeVar("ConfigT", bound=MethodConfig)


@dataclass(frozen=True, eq=False)
class Classroom:
    """What a method may look at: the replicas' training graphs and their teachers' logits."""

    tasks: Sequence[Task]
    graph: GraphBatch
    teacher_logits: Float[Tensor, "R n C"]
    streams: Streams
    max_epochs: int

    def probabilities(self, temperature: float = 1.0) -> Float[Tensor, "R n C"]:
        """The teachers' softmax at ``temperature``."""
        return torch.softmax(self.teacher_logits / temperature, dim=2)

    @cached_property
    def edges_of_replica(self) -> Float[Tensor, " E"]:
        """For each edge, how many edges its replica has (self-loops included)."""
        counts = torch.tensor(self.graph.edge_counts, device=self.graph.device)
        return counts.float()[self.graph.edge_replicas]

    def aggregate(
        self, weights: Float[Tensor, " E"], probabilities: Float[Tensor, "R n C"]
    ) -> SoftTarget:
        """``Q_i = sum_j w_ij t_j``, with the constant of ``sum_ij w_ij KL(t_j || s_i)``."""
        flat = probabilities.flatten(0, 1)
        mass = gather(self.graph, weights.unsqueeze(1), flat.unsqueeze(1)).squeeze(1)
        per_edge = weights * negative_entropy(flat)[self.graph.senders]
        return SoftTarget(mass.view_as(probabilities), self.sum_edges(per_edge))

    def sum_edges(self, values: Float[Tensor, " E"]) -> Float[Tensor, " R"]:
        """Sum edge values to their replicas."""
        per_node = torch.segment_reduce(values, "sum", offsets=self.graph.offsets)
        return per_node.view(self.graph.replicas, -1).sum(1)


class Method(ABC, Generic[ConfigT]):
    """Base of all methods; its defaults are plain distillation-free training on raw features."""

    colour: ClassVar[str]
    """The method's colour in every figure, as ``#rrggbb``."""

    distils: ClassVar[bool] = True
    """Whether the student learns from a teacher."""

    is_reference: ClassVar[bool] = False
    """Whether tables show how far other methods are ahead of this one."""

    watches_student = False
    """Whether ``soft_target`` needs the student's logits of the previous epoch."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def features(self, graph: GraphData) -> Features:
        """The student's input on any graph (the observed one, or all for hidden nodes)."""
        return Features(graph.features)

    def prepare(self, classroom: Classroom) -> None:
        """Compute once what the other decisions need."""
        self.classroom = classroom

    def label_weights(self, rows: Tensor) -> Float[Tensor, "R k"]:
        """Weights ``a`` of the labelled ``rows`` ``[R, k]``: their mean by default."""
        return torch.full(rows.shape, 1.0 / rows.shape[1], device=rows.device)

    def soft_target(
        self, epoch: int, student_logits: Float[Tensor, "R n C"] | None
    ) -> SoftTarget | None:
        """Soft targets at ``epoch`` (from 1); the same object while they do not change."""
        return None
