"""InfGraND: influential nodes teach and learn more, on features propagated once beforehand."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.data.task import Task, once_per_object
from gkd_runner.graph.features import Features
from gkd_runner.graph.influence import node_influence
from gkd_runner.graph.operators import symmetric
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.objective import SoftTarget, take_rows
from gkd_runner.options.schema import InfgrandConfig


class InfGraND(Method[InfgrandConfig]):
    """Label weights ``delta_1 + delta_2 I_i``, edge weights ``gamma_1 + gamma_2 I_j``."""

    colour = "#d55e00"

    def features(self, graph: GraphData) -> Features:
        """``mean(X, A X, ..., A^P X)`` (or max, min) over the hops."""
        hops = self.config.propagation_hops
        if hops == 0:
            return Features(graph.features)
        operator = symmetric(graph.adjacency, self.config.self_loops)
        if self.config.pooling == "mean":
            return Features(graph.features, operator, (1.0 / (hops + 1),) * (hops + 1))
        stages = [Features(graph.features).dense()]
        for _ in range(hops):
            stages.append(operator @ stages[-1])
        pool = np.maximum if self.config.pooling == "max" else np.minimum
        return Features(pool.reduce(stages))

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        if self.config.influence_graph == "observed":
            graphs = [task.training_graph for task in classroom.tasks]
            scores = once_per_object(graphs, self._influence)
        else:
            scores = [self._published_influence(task) for task in classroom.tasks]
        stacked = np.stack(scores)
        self._scores = torch.from_numpy(stacked).to(classroom.graph.device)

    def label_weights(self, rows: Tensor) -> Float[Tensor, "R k"]:
        scores = take_rows(self._scores.unsqueeze(2), rows).squeeze(2)
        return (self.config.delta_1 + self.config.delta_2 * scores) / rows.shape[1]

    def soft_target(self, epoch: int, student_logits: Tensor | None) -> SoftTarget:
        return self._target

    @cached_property
    def _target(self) -> SoftTarget:
        classroom = self.classroom
        probabilities = classroom.probabilities(self.config.tau)
        return classroom.aggregate(self._edge_weights(), probabilities)

    def _edge_weights(self) -> Float[Tensor, " E"]:
        graph = self.classroom.graph
        weights = self.config.gamma_1 + self.config.gamma_2 * self._scores.flatten()[graph.senders]
        if self.config.edge_average == "degree":
            return weights / graph.degrees[graph.receivers] / graph.nodes
        return weights / self.classroom.edges_of_replica

    def _influence(self, graph: GraphData, columns: int | None = None) -> FloatArray:
        return node_influence(graph, self.config.self_loops, columns)

    def _published_influence(self, task: Task) -> FloatArray:
        """On the full graph, summed over its first nodes, as many as are observed."""
        return self._influence(task.graph, columns=len(task.observed))[task.observed]
