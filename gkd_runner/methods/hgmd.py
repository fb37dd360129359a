"""HGMD (Wu et al.): hard nodes learn from subgraphs that are drawn anew each epoch.

Edge (i, j) is kept with a probability that grows with the hardness of ``i`` for teacher and
student and falls with the teacher's hardness at ``j``; self-loops always stay. In the first epoch
every edge has probability 1. The loss is the mean over kept edges.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from gkd_runner.common.lazy import special, torch
from gkd_runner.common.probabilities import negative_entropy, softmax
from gkd_runner.graph.chunks import EdgeChunk, edge_chunks
from gkd_runner.graph.hardness import annealed, edge_cosines, hardness, keep_probability
from gkd_runner.graph.kernels import spmm
from gkd_runner.methods.base import Classroom, Method, PresetTable
from gkd_runner.methods.objective import SoftTarget
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

Extracted = tuple["torch.Tensor", "torch.Tensor"]
"""Probabilities ``[e]`` of a chunk's edges, and 1 for those that are kept, else 0."""

Extraction = Callable[[EdgeChunk], Extracted]
"""The subgraph of one epoch, chunk by chunk."""


def _everything(chunk: EdgeChunk) -> Extracted:
    ones = torch.ones(2, len(chunk.senders), device=chunk.senders.device)
    return ones[0], ones[1]


class _Hgmd(Method[HgmdT]):
    """Subgraph extraction, common to both variants."""

    presets = PresetTable("HGMD", "hgmd")
    watches_student = True

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        probabilities = classroom.probabilities()
        self._cosines = edge_cosines(classroom.graph, probabilities)
        self._hardness = hardness(probabilities)

    def soft_target(self, epoch: int, student_logits: torch.Tensor | None) -> SoftTarget:
        return self._aggregate(self._extraction(epoch, student_logits))

    def _extraction(self, epoch: int, student_logits: torch.Tensor | None) -> Extraction:
        """Draw this epoch's subgraph."""
        if student_logits is None:
            return _everything
        uniform = self.classroom.draw_uniform("edge sampling")
        own, neighbour = self._factors(hardness(softmax(student_logits)))
        alpha = annealed(self.config.alpha, epoch, self.classroom.max_epochs)

        def extraction(chunk: EdgeChunk) -> Extracted:
            cosines = self._cosines[chunk.edges]
            probability = keep_probability(chunk, cosines, own, neighbour, alpha)
            return probability, uniform(chunk).lt_(probability)

        return extraction

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
    def _aggregate(self, extraction: Extraction) -> SoftTarget:
        """The soft target of an epoch, averaged over the kept edges."""


class HgmdWeight(_Hgmd[HgmdConfig]):
    """Kept edges weigh ``deg(i) p_ij cos_ij / sum_k p_ik cos_ik``: 1 on average per node."""

    name = "hgmd-weight"
    position = 20
    colour = "#2f2994"
    options = HgmdConfig

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        self._sum = classroom.aggregator(classroom.probabilities(self.config.tau))

    def _aggregate(self, extraction: Extraction) -> SoftTarget:
        strengths, totals, degrees = self._strengths(extraction)
        return self._sum(strengths, degrees / totals / degrees.sum(1, keepdim=True))

    def _strengths(
        self, extraction: Extraction
    ) -> tuple[Float[torch.Tensor, " E"], Float[torch.Tensor, "R n"], Float[torch.Tensor, "R n"]]:
        """``p_ij cos_ij`` of kept edges (others: 0), its sum for each node, and their number."""
        graph = self.classroom.graph
        totals, degrees = self._cosines.new_empty(2, graph.replicas * graph.nodes)

        def strength(chunk: EdgeChunk) -> Float[torch.Tensor, " e"]:
            probability, kept = extraction(chunk)
            degrees[chunk.nodes] = chunk.sums(kept)
            strengths = kept.mul_(probability).mul_(self._cosines[chunk.edges])
            totals[chunk.nodes] = chunk.sums(strengths)
            return strengths

        strengths = self.classroom.per_edge(strength)
        shape = (graph.replicas, graph.nodes)
        return strengths, totals.view(shape), degrees.view(shape)


class HgmdMixup(_Hgmd[HgmdMixupConfig]):
    """Kept edges teach ``(1 - w) t_i + w t_j``, with ``w = p_ij Beta(beta, beta)`` drawn anew."""

    name = "hgmd-mixup"
    position = 21
    colour = "#a203e1"
    options = HgmdMixupConfig

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        middle = (np.arange(_LEVELS) + 0.5) / _LEVELS
        quantiles = special.betaincinv(self.config.beta, self.config.beta, middle).astype(
            np.float32
        )
        self._beta_quantiles = torch.from_numpy(quantiles).to(classroom.device)
        # To smooth before mixing is to smooth after it: both keep the sum of the probabilities.
        smooth = classroom.probabilities(self.config.tau) + self.config.smoothing
        self._targets = smooth / smooth.sum(2, keepdim=True)
        self._chunks = edge_chunks(classroom.graph, columns=smooth.shape[2])

    def _aggregate(self, extraction: Extraction) -> SoftTarget:
        graph, draw_beta = self.classroom.graph, self._draw_beta()
        entropies, weights = self._cosines.new_empty(2, graph.num_edges)
        for chunk in self._chunks:
            probability, kept = extraction(chunk)
            mix = probability.mul_(draw_beta(chunk))
            entropies[chunk.edges] = self._entropies(chunk, mix, kept)
            mix.mul_(kept)
            # a node's own label goes with its self-loop: sum_j (1 - w) t_i + w t_j
            weights[chunk.edges] = mix.index_add_(0, chunk.loops, chunk.sums(kept.sub_(mix)))
        return self._mean(weights, entropies)

    def _mean(
        self, weights: Float[torch.Tensor, " E"], entropies: Float[torch.Tensor, " E"]
    ) -> SoftTarget:
        """The mean over kept edges, each of which adds 1 to the sum of the weights."""
        edges = self.classroom.sum_edges(weights)
        flat = self._targets.flatten(0, 1).unsqueeze(1)
        mass = spmm(self.classroom.graph, weights.unsqueeze(1), flat).view_as(self._targets)
        constant = self.classroom.sum_edges(entropies) / edges
        return SoftTarget(mass / edges.view(-1, 1, 1), constant)

    def _entropies(
        self,
        chunk: EdgeChunk,
        mix: Float[torch.Tensor, " e"],
        kept: Float[torch.Tensor, " e"],
    ) -> Float[torch.Tensor, " e"]:
        """The negative entropy of the mixed labels of kept edges; 0 for the others."""
        ends = (chunk.receivers, chunk.senders)
        if kept.device.type != "cpu":  # to leave edges out, the host would wait for their number
            return self._mixed_entropy(*ends, mix).mul_(kept)
        some = torch.from_numpy(np.flatnonzero(kept.numpy()))  # torch's nonzero is slower
        values = self._mixed_entropy(*(x.index_select(0, some) for x in (*ends, mix)))
        return torch.zeros_like(mix).index_copy_(0, some, values)

    def _mixed_entropy(
        self, own: torch.Tensor, other: torch.Tensor, mix: torch.Tensor
    ) -> Float[torch.Tensor, " e"]:
        """``sum_c m_c log m_c`` of ``m = (1 - mix) t_own + mix t_other``, given nodes ``[e]``."""
        targets = self._targets.flatten(0, 1)
        labels = targets.index_select(0, own)
        labels.lerp_(targets.index_select(0, other), mix.unsqueeze(1))
        return negative_entropy(labels)

    def _draw_beta(self) -> Callable[[EdgeChunk], Float[torch.Tensor, " e"]]:
        """Beta draws by inversion, on any device: a 16-bit uniform picks a tabulated quantile."""
        words = self.classroom.stream("edge sampling").words(self.classroom.graph.edge_counts)

        def draws(chunk: EdgeChunk) -> Float[torch.Tensor, " e"]:
            levels = words[chunk.edges].int().add_(_LEVELS // 2)
            return self._beta_quantiles.index_select(0, levels)

        return draws
