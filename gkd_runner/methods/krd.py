"""KRD (Wu et al., ICML 2023): nodes learn from the neighbours whose soft labels are reliable.

A soft label is reliable where noise on the features changes the teacher's entropy little. Edges
are drawn anew each epoch with probability ``1 - d_j^power``; ``power`` follows how often student
and teacher agree. The loss is the mean over drawn edges and all self-loops.

Where the released code and the paper differ, the code is followed: ``d`` is the absolute change of
entropy under one draw of noise. The paper has the expectation of the squared change, which is
``method.entropy_change=squared`` with ``method.noise_draws`` above 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from gkd_runner.common.lazy import torch
from gkd_runner.common.probabilities import negative_entropy, softmax
from gkd_runner.common.seeding import generator
from gkd_runner.data.graph import FloatArray
from gkd_runner.graph.chunks import EdgeChunk
from gkd_runner.graph.features import Features
from gkd_runner.methods.base import Classroom, Method, PresetTable
from gkd_runner.methods.objective import SoftTarget
from gkd_runner.options.schema import MethodConfig, option

SHIFT = 0.05
"""Added to the left edge of a bin to stand for its values, as in the released code."""

POWERS = (1e-3, 1e3)
"""Powers considered by the fit."""


@dataclass
class KrdConfig(MethodConfig):
    """KRD: knowledge-inspired reliable distillation."""

    init_power: float = option("Power before the first fit.", above=0)
    momentum: float = option("Share of the power that a fit keeps.", at_least=0, below=1)
    bins_num: int = option("Bins of the fit, over [0, 1].", at_least=2)
    first_draw: int = option("First epoch that draws edges; all are used before.", at_least=2)
    draw_every: int = option("Edges are drawn in epochs that are multiples of this.", at_least=1)
    noise_draws: int = option("Draws of noise, averaged over.", at_least=1)
    entropy_change: str = option(
        "How the change of the teacher's entropy enters: absolute (released code) or squared (the"
        " paper's text).",
        choices=("absolute", "squared"),
    )


class Krd(Method[KrdConfig]):
    """Drawn edges weigh alike: ``Q_i`` sums ``softmax(t_j / tau)`` over the drawn neighbours."""

    name = "krd"
    position = 15
    colour = "#800008"
    options = KrdConfig
    presets = PresetTable("KRD", "krd")
    watches_student = True
    asks_teacher = True

    def prepare(self, classroom: Classroom) -> None:
        super().prepare(classroom)
        self._sensitivity = self._entropy_change()
        self._aggregate = classroom.aggregator(classroom.probabilities(self.config.tau))
        self._answers = classroom.teacher_logits.argmax(2)
        self._power = self._sensitivity.new_full(
            (classroom.graph.replicas,), self.config.init_power, dtype=torch.float64
        )
        everything = torch.ones(classroom.graph.num_edges, device=classroom.graph.device)
        self._target = self._mean_over(everything)

    def soft_target(self, epoch: int, student_logits: torch.Tensor | None) -> SoftTarget:
        draws = epoch >= self.config.first_draw and epoch % self.config.draw_every == 0
        if draws and student_logits is not None:
            self._update_power(student_logits)
            self._target = self._mean_over(self._drawn())
        return self._target

    def logged(self) -> dict[str, Float[torch.Tensor, " R"]]:
        return {"power": self._power}

    def _entropy_change(self) -> Float[torch.Tensor, "R n"]:
        """``d``: how much noise on the features changes the teacher's entropy, at most 1."""
        entropy = -negative_entropy(self.classroom.probabilities())
        total = torch.zeros_like(entropy)
        noises = [generator(task.seed, "feature noise") for task in self.classroom.tasks]
        for _ in range(self.config.noise_draws):
            noisy = softmax(self.classroom.ask(self._noisy_features(noises)))
            change = (-negative_entropy(noisy) - entropy).abs()
            total += change if self.config.entropy_change == "absolute" else change.square()
        return total / total.amax(1, keepdim=True).clamp_min(torch.finfo(total.dtype).tiny)

    def _noisy_features(self, noises: list[np.random.Generator]) -> Iterator[FloatArray]:
        for task, noise in zip(self.classroom.tasks, noises, strict=True):
            features = Features(task.training_graph.features).dense()
            yield features + noise.standard_normal(features.shape, dtype=np.float32)

    def _drawn(self) -> Float[torch.Tensor, " E"]:
        """1 for the edges of this epoch: neighbours by their reliability, self-loops always."""
        keep = 1 - self._sensitivity.double() ** self._power.unsqueeze(1)
        bound = _rounded_up(keep).flatten()
        uniform = self.classroom.draw_uniform("edge sampling")

        def drawn(chunk: EdgeChunk) -> Float[torch.Tensor, " e"]:
            below = uniform(chunk).lt_(bound.index_select(0, chunk.senders))
            return below.index_fill_(0, chunk.loops, 1.0)

        return self.classroom.per_edge(drawn)

    def _mean_over(self, kept: Float[torch.Tensor, " E"]) -> SoftTarget:
        return self._aggregate(kept, 1 / self.classroom.sum_edges(kept).unsqueeze(1))

    def _update_power(self, student_logits: Float[torch.Tensor, "R n C"]) -> None:
        """Move the power towards the one that explains where the student follows its teacher."""
        agrees = student_logits.argmax(2) == self._answers
        bins = self.config.bins_num
        share = agreement_by_bin(self._sensitivity, agrees, bins)
        low, high = share.amin(1, keepdim=True), share.amax(1, keepdim=True)
        scaled = (share - low) / (high - low)
        left = torch.arange(bins, device=share.device, dtype=share.dtype) / bins
        fitted = fit_power(left + SHIFT, scaled)
        moved = self.config.momentum * self._power + (1 - self.config.momentum) * fitted
        self._power = torch.where((high > low).squeeze(1), moved, self._power)


def _rounded_up(values: Float[torch.Tensor, "R n"]) -> Float[torch.Tensor, "R n"]:
    """The smallest float32 that are not below; a float32 is below them just if below ``values``."""
    nearest = values.float()
    above = torch.nextafter(nearest, nearest.new_full((), torch.inf))
    return torch.where(nearest < values, above, nearest)


def agreement_by_bin(
    sensitivity: Float[torch.Tensor, "R n"], agrees: Bool[torch.Tensor, "R n"], bins: int
) -> Float[torch.Tensor, "R bins"]:
    """Share of agreeing nodes among those in each equal bin over [0, 1]; 0 in an empty bin."""
    position = (sensitivity * bins).long().clamp_max(bins - 1)
    counts = torch.zeros(2, len(position), bins, dtype=torch.float64, device=position.device)
    counts[0].scatter_add_(1, position, agrees.double())
    counts[1].scatter_add_(1, position, torch.ones_like(agrees, dtype=torch.float64))
    return counts[0] / counts[1].clamp_min(1)


def fit_power(
    x: Float[torch.Tensor, " bins"], y: Float[torch.Tensor, "R bins"]
) -> Float[torch.Tensor, " R"]:
    """The power ``a`` that minimises ``sum (y - (1 - x^a))^2``, by a grid that zooms in.

    It runs for all replicas on their device, so that no epoch waits for the host.
    """
    low, high = (y.new_full((len(y), 1), np.log(power)) for power in POWERS)
    steps = torch.linspace(0, 1, 33, dtype=y.dtype, device=y.device)
    for _ in range(6):  # each divides the interval by 16
        grid = low + (high - low) * steps
        curves = 1 - (grid.exp().unsqueeze(2) * x.log()).exp()  # x ** power, which is slower
        best = (y.unsqueeze(1) - curves).square().sum(2).argmin(1, keepdim=True)
        width = (high - low) / 32
        centre = grid.gather(1, best)
        low, high = centre - width, centre + width
    return centre.exp().squeeze(1)
