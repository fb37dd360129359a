"""HGMD (Wu et al.): hard nodes learn from subgraphs that are drawn anew each epoch.

Edge (i, j) is kept with a probability that grows with the hardness of ``i`` for teacher and
student and falls with the teacher's hardness at ``j``; self-loops always stay. In the first epoch
every edge has probability 1. The loss is the mean over kept edges.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

from gkd_runner.common.lazy import special, torch
from gkd_runner.graph.hardness import annealed, edge_cosines, hardness, keep_probability
from gkd_runner.methods.base import Classroom, Method, PresetTable
from gkd_runner.methods.objective import SoftTarget, negative_entropy
from gkd_runner.options.schema import MethodConfig, Range, option


@dataclass
class HgmdConfig(MethodConfig):
    """HGMD: hardness-aware subgraph extraction."""

    alpha: float = option(
        "Scale of the edge probabilities' exponent at epoch 1.",
        above=0,
        search=Range(0.5, 20.0, log=True),
    )
    hardness: str = option(
        "Which hardness draws edges: the teacher's (knowledge), the student's (distillation),"
        " both (HGMD), or none (by similarity alone).",
        choices=("both", "knowledge", "distillation", "none"),
    )


@dataclass
class HgmdMixupConfig(HgmdConfig):
    """HGMD-mixup."""

    beta: float = option(
        "Both parameters of the Beta distribution that mixes targets.",
        above=0,
        search=Range(0.1, 1.0),
    )
    smoothing: float = option("Added to each mixed probability before renormalising.", at_least=0)


HgmdT = TypeVar("HgmdT", bound=HgmdConfig)

_LEVELS = 1 << 16


class _Hgmd(Method[HgmdT]):
    """Subgraph extraction, common to both variants."""

    presets = PresetTable("HGMD", "hgmd")
    watches_student = True

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        probabilities = classroom.probabilities()
        self._cosines = edge_cosines(classroom.graph, probabilities)
        self._hardness = hardness(probabilities)
        self._targets = classroom.probabilities(self.config.tau)

    def soft_target(self, epoch: int, student_logits: torch.Tensor | None) -> SoftTarget:
        probability, kept = self._extract(epoch, student_logits)
        kept_edges = self.classroom.sum_edges(kept.float())
        share = kept / kept_edges[self.classroom.graph.edge_replicas]
        return self._aggregate(probability, share)

    def _extract(
        self, epoch: int, student_logits: torch.Tensor | None
    ) -> tuple[Float[torch.Tensor, " E"], Bool[torch.Tensor, " E"]]:
        """Probabilities of the edges, and which of them this epoch keeps."""
        graph = self.classroom.graph
        if student_logits is None:
            ones = torch.ones_like(self._cosines)
            return ones, ones.bool()
        own, neighbour = self._factors(hardness(torch.softmax(student_logits, dim=2)))
        alpha = annealed(self.config.alpha, epoch, self.classroom.max_epochs)
        probability = keep_probability(graph, self._cosines, own, neighbour, alpha)
        kept = self.classroom.stream("edge sampling").uniform(graph.edge_counts) < probability
        return probability, kept | graph.is_loop

    def _factors(
        self, student: Float[torch.Tensor, "R n"]
    ) -> tuple[Float[torch.Tensor, "R n"], Float[torch.Tensor, "R n"]]:
        """A node's own factor and that of its neighbours; one hardness alone stands for both."""
        teacher = self._hardness
        if self.config.hardness == "both":
            return (teacher * student).sqrt(), teacher
        only = {"knowledge": teacher, "distillation": student}
        chosen = only.get(self.config.hardness, torch.ones_like(teacher))
        return chosen, chosen

    @abstractmethod
    def _aggregate(self, probability: torch.Tensor, share: torch.Tensor) -> SoftTarget:
        """The soft target, ``share`` being 1 / (kept edges) on kept edges and 0 elsewhere."""


class HgmdWeight(_Hgmd[HgmdConfig]):
    """Kept edges weigh ``deg(i) p_ij cos_ij / sum_k p_ik cos_ik``: 1 on average per node."""

    name = "hgmd-weight"
    position = 20
    colour = "#964a8b"
    options = HgmdConfig

    def _aggregate(self, probability: torch.Tensor, share: torch.Tensor) -> SoftTarget:
        weights = share * self.coefficients(probability, share > 0)
        return self.classroom.aggregate(weights, self._targets)

    def coefficients(
        self, probability: torch.Tensor, kept: torch.Tensor
    ) -> Float[torch.Tensor, " E"]:
        """The weight ``[E]`` of each kept edge, as in the class; 0 for the other edges."""
        graph = self.classroom.graph
        strength = probability * self._cosines * kept
        both = torch.stack([strength, kept.float()], dim=1)
        total, degree = torch.segment_reduce(both, "sum", offsets=graph.offsets, axis=0).unbind(1)
        return strength * (degree / total)[graph.receivers]


class HgmdMixup(_Hgmd[HgmdMixupConfig]):
    """Kept edges teach ``(1 - w) t_i + w t_j``, with ``w = p_ij Beta(beta, beta)`` drawn anew."""

    name = "hgmd-mixup"
    position = 21
    colour = "#7a21dd"
    options = HgmdMixupConfig

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        middle = (np.arange(_LEVELS) + 0.5) / _LEVELS
        quantiles = special.betaincinv(self.config.beta, self.config.beta, middle).astype(
            np.float32
        )
        self._beta_quantiles = torch.from_numpy(quantiles).to(classroom.graph.device)

    def _aggregate(self, probability: torch.Tensor, share: torch.Tensor) -> SoftTarget:
        graph, targets = self.classroom.graph, self._targets.flatten(0, 1)
        mix = probability * self._draw_beta()
        own, others = targets[graph.receivers], targets[graph.senders]
        mixed = torch.lerp(own, others, mix.unsqueeze(1))
        if self.config.smoothing:
            mixed = mixed + self.config.smoothing
            mixed = mixed / mixed.sum(1, keepdim=True)
        mass = torch.segment_reduce(
            mixed * share.unsqueeze(1), "sum", offsets=graph.offsets, axis=0
        )
        constant = self.classroom.sum_edges(share * negative_entropy(mixed))
        return SoftTarget(mass.view_as(self._targets), constant)

    def _draw_beta(self) -> Float[torch.Tensor, " E"]:
        """Beta draws by inversion, on any device: a 16-bit uniform picks a tabulated quantile."""
        words = self.classroom.stream("edge sampling").words(self.classroom.graph.edge_counts)
        return self._beta_quantiles[words.int() + _LEVELS // 2]
