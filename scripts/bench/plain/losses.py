"""The methods' losses edge by edge, as their papers write them.

``Lesson`` has what they read. ``loss(logits, epoch, previous)`` gets the student's logits, and
those of the last evaluation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import curve_fit
from torch import Tensor

from bench.plain.propagate import Edges, entropy, kl_per_edge
from gkd_runner.options.schema import Config

HARDNESS_FLOOR = 1e-8


@dataclass(frozen=True, eq=False)
class Lesson:
    """Labels of the training nodes, edges, the teacher's logits and the nodes' influence."""

    config: Config
    edges: Edges
    train: Tensor
    labels: Tensor
    teacher: Tensor
    influence: Tensor


class Loss(ABC):
    """``lam`` times the labels' loss and ``1 - lam`` times that of the soft labels."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson, self.method = lesson, lesson.config.method

    def __call__(self, logits: Tensor, epoch: int, previous: Tensor | None) -> Tensor:
        lam = self.method.lam
        loss = logits.new_zeros(())
        if lam > 0:
            loss = loss + lam * self.of_labels(logits)
        if lam < 1:
            loss = loss + (1 - lam) * self.of_soft_labels(logits, epoch, previous)
        return loss

    def of_labels(self, logits: Tensor) -> Tensor:
        """Mean cross-entropy of the training nodes."""
        train = self.lesson.train
        return F.cross_entropy(logits[train], self.lesson.labels[train])

    @abstractmethod
    def of_soft_labels(self, logits: Tensor, epoch: int, previous: Tensor | None) -> Tensor:
        """The distillation loss."""

    def soft(self, tau: float) -> Tensor:
        """The teacher's softmax."""
        return F.softmax(self.lesson.teacher / tau, dim=1)


class Glnn(Loss):
    """``mean_i KL(t_i || s_i)``; with ``lam = 1`` also the plain MLP."""

    def of_soft_labels(self, logits: Tensor, epoch: int, previous: Tensor | None) -> Tensor:
        tau = self.method.tau
        log_p = F.log_softmax(logits / tau, dim=1)
        return F.kl_div(log_p, self.soft(tau), reduction="batchmean")


class Infgrand(Loss):
    """Labels weigh ``delta_1 + delta_2 I_i``, edges ``gamma_1 + gamma_2 I_j``."""

    def of_labels(self, logits: Tensor) -> Tensor:
        train, method = self.lesson.train, self.method
        each = F.cross_entropy(logits[train], self.lesson.labels[train], reduction="none")
        return (each * (method.delta_1 + method.delta_2 * self.lesson.influence[train])).mean()

    def of_soft_labels(self, logits: Tensor, epoch: int, previous: Tensor | None) -> Tensor:
        edges, method = self.lesson.edges, self.method
        target = self.soft(method.tau)[edges.src]
        weights = method.gamma_1 + method.gamma_2 * self.lesson.influence[edges.src]
        return (weights * kl_per_edge(logits, target, edges.dst, method.tau)).mean()


def hardness(probabilities: Tensor) -> Tensor:
    """Entropy over its largest value; zeros become 1e-8."""
    each = entropy(probabilities)
    return torch.where(each > 0, each / each.max(), HARDNESS_FLOOR)


class _Hgmd(Loss):
    """Edges are kept with a probability that the hardness of both models decides."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        probabilities = self.soft(1.0)
        edges = lesson.edges
        self.cosines = F.cosine_similarity(probabilities[edges.dst], probabilities[edges.src])
        self.teacher_hardness = hardness(probabilities)

    def of_soft_labels(self, logits: Tensor, epoch: int, previous: Tensor | None) -> Tensor:
        probability = self.probability(epoch, previous)
        kept = (torch.rand_like(probability) < probability) | self.lesson.edges.loops
        kept = torch.nonzero(kept).squeeze(1)
        return self.of_kept(logits, kept, probability[kept]).mean()

    def probability(self, epoch: int, previous: Tensor | None) -> Tensor:
        """``p_ij`` of every edge; 1 for self-loops and in the first epoch."""
        if previous is None:
            return torch.ones_like(self.cosines)
        edges, mine = self.lesson.edges, self.teacher_hardness
        alpha = self.method.alpha / 100 ** (
            (epoch - 1) / max(self.lesson.config.training.max_epochs - 1, 1)
        )
        theirs = hardness(F.softmax(previous, dim=1))
        own = (mine * theirs).sqrt()[edges.dst]
        exponent = alpha * self.cosines * own / mine[edges.src]
        return torch.where(edges.loops, 1.0, 1 - torch.exp(-exponent))

    @abstractmethod
    def of_kept(self, logits: Tensor, kept: Tensor, probability: Tensor) -> Tensor:
        """The loss of each kept edge."""


class HgmdWeight(_Hgmd):
    """Kept edges weigh ``deg(i) p_ij cos_ij / sum_k p_ik cos_ik``."""

    def of_kept(self, logits: Tensor, kept: Tensor, probability: Tensor) -> Tensor:
        edges, tau = self.lesson.edges, self.method.tau
        receivers = edges.dst[kept]
        strength = probability * self.cosines[kept]
        total = strength.new_zeros(edges.nodes).index_add(0, receivers, strength)
        degree = torch.bincount(receivers, minlength=edges.nodes)
        weights = degree[receivers] * strength / total[receivers]
        target = self.soft(tau)[edges.src[kept]]
        return weights * kl_per_edge(logits, target, receivers, tau)


class HgmdMixup(_Hgmd):
    """Kept edges teach ``(1 - w) t_i + w t_j`` with ``w = p_ij Beta(beta, beta)``."""

    def of_kept(self, logits: Tensor, kept: Tensor, probability: Tensor) -> Tensor:
        edges, method = self.lesson.edges, self.method
        receivers = edges.dst[kept]
        draws = torch.distributions.Beta(method.beta, method.beta).sample((len(kept),))
        mix = (probability * draws.to(probability.device)).unsqueeze(1)
        soft = self.soft(method.tau)
        target = (1 - mix) * soft[receivers] + mix * soft[edges.src[kept]]
        if method.smoothing:
            target = target + method.smoothing
            target = target / target.sum(1, keepdim=True)
        return kl_per_edge(logits, target, receivers, method.tau)


class Krd(Loss):
    """Edges are drawn by the reliability of the neighbour; the power follows the student.

    How much noise changes the teacher's entropy is made up here: it costs nothing per epoch.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        nodes = lesson.edges.nodes
        self._change = torch.rand(nodes, device=lesson.teacher.device) ** 4
        self._power = self.method.init_power

    def of_soft_labels(self, logits: Tensor, epoch: int, previous: Tensor | None) -> Tensor:
        edges, tau = self.lesson.edges, self.method.tau
        kept = torch.arange(len(edges), device=logits.device)
        if epoch >= self.method.first_draw and previous is not None:
            self._fit(previous)
            keep = 1 - self._change[edges.src] ** self._power
            kept = torch.nonzero((torch.rand_like(keep) < keep) | edges.loops).squeeze(1)
        target = self.soft(tau)[edges.src[kept]]
        return kl_per_edge(logits, target, edges.dst[kept], tau).mean()

    def _fit(self, previous: Tensor) -> None:
        agrees = (previous.argmax(1) == self.lesson.teacher.argmax(1)).cpu().numpy()
        bins = self.method.bins_num
        place = np.minimum((self._change.cpu().numpy() * bins).astype(int), bins - 1)
        all_, right = (np.bincount(place[mask], minlength=bins) for mask in (agrees >= 0, agrees))
        share = right / np.maximum(all_, 1)
        if share.max() == share.min():
            return
        scaled = (share - share.min()) / (share.max() - share.min())
        x = np.arange(bins) / bins + 0.05
        (power,), _ = curve_fit(lambda x, a: 1 - x**a, x, scaled, p0=1.0, maxfev=5000)
        keep = self.method.momentum
        self._power = keep * self._power + (1 - keep) * abs(float(power))


LOSSES: dict[str, Callable[[Lesson], Loss]] = {
    "mlp": Glnn,
    "glnn": Glnn,
    "krd": Krd,
    "hgmd-weight": HgmdWeight,
    "hgmd-mixup": HgmdMixup,
    "infgrand": Infgrand,
}
"""The loss of each method. The plain MLP has ``lam = 1``, so its soft labels are never read."""
