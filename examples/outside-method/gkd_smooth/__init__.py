"""A method for gkd-runner in a package of its own: nodes learn soft labels that were propagated.

Each step replaces a node's soft label by ``keep`` of it and the rest from the mean over its
neighbours and itself, which calms the labels of nodes about which the teacher is alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gkd_runner.common.probabilities import negative_entropy
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.objective import SoftTarget
from gkd_runner.options.schema import MethodConfig, Range, option


@dataclass
class SmoothConfig(MethodConfig):
    """Propagated soft labels."""

    steps: int = option("Number of propagation steps.", at_least=0, search=Range(0, 5))
    keep: float = option(
        "Share of its own soft label that a node keeps in each step.", at_least=0, at_most=1
    )


class Smooth(Method[SmoothConfig]):
    """``Q = q_steps / n``, with ``q_0`` the teacher's and ``q_k+1 = keep q_k + (1-keep) A q_k``."""

    name = "smooth"
    colour = "#cc79a7"
    options = SmoothConfig

    def prepare(self, classroom: Classroom) -> None:
        graph = classroom.graph
        ones = torch.ones(graph.num_edges, device=graph.device)
        mean = 1 / graph.degrees.view(graph.replicas, -1)
        labels = classroom.probabilities(self.config.tau)
        for _ in range(self.config.steps):
            around = classroom.aggregator(labels)(ones, mean).mass
            labels = self.config.keep * labels + (1 - self.config.keep) * around
        nodes = labels.shape[1]
        self._target = SoftTarget(labels / nodes, negative_entropy(labels).mean(1))

    def soft_target(self, epoch: int, student_logits: torch.Tensor | None) -> SoftTarget:
        return self._target
