"""InfGraND: influential nodes teach and learn more, on features propagated once beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from gkd_runner.common.lazy import torch
from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task, once_per_object
from gkd_runner.graph.influence import Influence, node_influence
from gkd_runner.methods.base import Classroom, Method, PresetTable
from gkd_runner.methods.objective import SoftTarget, take_rows
from gkd_runner.options.schema import MethodConfig, Range, option


@dataclass
class InfgrandConfig(MethodConfig):
    """InfGraND: influence-guided distillation on propagated features."""

    delta_1: float = option("Label weight of every node.", at_least=0, search=Range(0.1, 1.0))
    delta_2: float = option(
        "Label weight per unit of influence.", at_least=0, search=Range(0.0, 1.0)
    )
    gamma_1: float = option(
        "Edge weight of every edge.",
        at_least=0,
        search=Range(0.01, 1.0),  # with gamma_1 = gamma_2 = 0 nothing would be distilled
    )
    gamma_2: float = option(
        "Edge weight per unit of the neighbour's influence.", at_least=0, search=Range(0.0, 1.0)
    )
    propagation_hops: int = option(
        "P: features are pooled over hops 0 to P.", at_least=0, search=Range(0, 5)
    )
    pooling: str = option("How the hops are pooled.", choices=("mean", "max", "min"))
    self_loops: float = option("s in A + sI: 2 as in the released code, 1 as in the text.", above=0)
    edge_average: str = option(
        "Edge weights are divided by the number of edges (released code)"
        " or by the node's degree (the paper's text), then averaged.",
        choices=("edges", "degree"),
    )
    influence_graph: str = option(
        "Inductive: influence on the observed graph alone, or as the"
        " released code has it (which looks at hidden nodes).",
        choices=("observed", "published"),
    )
    smallest_cosine: str = option(
        "The smallest cosine, which influence depends on, is searched for among all pairs of nodes"
        " or estimated in linear time (result.json has the bound of the error).",
        choices=("exact", "estimated"),
    )


_KNOWN: WeakKeyDictionary[GraphData, dict[Any, Influence]] = WeakKeyDictionary()
"""The influence on each graph in memory: seeds that train one after the other share it."""


class InfGraND(Method[InfgrandConfig]):
    """Label weights ``delta_1 + delta_2 I_i``, edge weights ``gamma_1 + gamma_2 I_j``."""

    name = "infgrand"
    position = 40
    colour = "#be4e04"
    options = InfgrandConfig
    presets = PresetTable("InfGraND", "infgrand")

    def mistakes(self) -> list[str]:
        lam = self.config.lam
        delta = [self.config.delta_1, self.config.delta_2]
        gamma = [self.config.gamma_1, self.config.gamma_2]
        if (lam == 0 or not any(delta)) and not any(gamma):
            return [f"method.lam={lam}, delta={delta}, gamma={gamma} leave nothing to learn from"]
        return super().mistakes()

    @property
    def _pooling(self) -> str:
        return self.config.pooling

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        if self.config.influence_graph == "observed":
            graphs = [task.training_graph for task in classroom.tasks]
            self._influences = once_per_object(graphs, self._influence)
            scores = [found.scores for found in self._influences]
        else:
            self._influences = [self._published_influence(task) for task in classroom.tasks]
            pairs = zip(self._influences, classroom.tasks, strict=True)
            scores = [found.scores[task.observed] for found, task in pairs]
        stacked = np.stack(scores)
        self._scores = torch.from_numpy(stacked).to(classroom.device)

    def facts(self, replica: int) -> Mapping[str, Any]:
        """How well the replica's influence is known."""
        found = self._influences[replica]
        return {
            "smallest_cosine": found.smallest_cosine,
            "smallest_cosine_at_least": found.lowest_cosine,
            "influence_error": found.error,
        }

    def label_weights(self, rows: torch.Tensor) -> Float[torch.Tensor, "R k"]:
        scores = take_rows(self._scores.unsqueeze(2), rows).squeeze(2)
        return (self.config.delta_1 + self.config.delta_2 * scores) / rows.shape[1]

    def soft_target(self, epoch: int, student_logits: torch.Tensor | None) -> SoftTarget:
        return self._target

    @cached_property
    def _target(self) -> SoftTarget:
        classroom, config = self.classroom, self.config
        of_senders = config.gamma_1 + config.gamma_2 * self._scores.flatten()
        weights = classroom.per_edge(lambda chunk: of_senders.index_select(0, chunk.senders))
        return classroom.aggregator(classroom.probabilities(config.tau))(weights, self._scale())

    def _scale(self) -> Float[torch.Tensor, "R _"]:
        """The factor that turns the sum of weighted edges into a mean, for each node or replica."""
        graph = self.classroom.graph
        if self.config.edge_average == "degree":
            return 1 / (graph.degrees.view(graph.replicas, -1) * graph.nodes)
        return 1 / self.classroom.edges_of_replicas.unsqueeze(1)

    def _influence(self, graph: GraphData, columns: int | None = None) -> Influence:
        device, exact = self.classroom.graph.device, self.config.smallest_cosine == "exact"
        options = (self.config.self_loops, columns, device)
        known = _KNOWN.setdefault(graph, {})
        if (options, exact) not in known:
            known[options, exact] = node_influence(graph, *options, exact=exact)
        return known[options, exact]

    def _published_influence(self, task: Task) -> Influence:
        """On the full graph, summed over its first nodes, as many as are observed."""
        return self._influence(task.graph, columns=len(task.observed))
