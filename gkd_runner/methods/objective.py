"""The one objective that every method trains the student on.

    L = lam * sum_i a_i CE(y_i, p_i) + (1 - lam) * [constant - sum_i sum_c Q_ic log p_ic(tau)]

A sum of ``w_e KL(t_j || s_i)`` over edges ``e = (i, j)`` differs from the bracket with
``Q_i = sum_j w_ij t_j`` by a constant only, so a sparse product replaces the loss over edges.
No term carries a factor ``tau ** 2`` (the papers' choice).
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int

from gkd_runner.common.lazy import torch
from gkd_runner.common.probabilities import log_softmax


@dataclass(frozen=True)
class LabelTarget:
    """The labelled nodes of each replica: their rows, classes and weights ``a``."""

    rows: Int[torch.Tensor, "R k"]
    classes: Int[torch.Tensor, "R k"]
    weights: Float[torch.Tensor, "R k"]


@dataclass(frozen=True)
class SoftTarget:
    """The aggregated soft target ``Q`` and what makes its loss a KL divergence."""

    mass: Float[torch.Tensor, "R n C"]
    constant: Float[torch.Tensor, " R"]


def cross_entropy(
    logits: Float[torch.Tensor, "R n C"], target: LabelTarget
) -> Float[torch.Tensor, " R"]:
    """``sum_i a_i CE(y_i, p_i)`` over the labelled rows."""
    log_p = log_softmax(take_rows(logits, target.rows))
    picked = log_p.gather(2, target.classes.unsqueeze(2)).squeeze(2)
    return -(target.weights * picked).sum(1)


def distillation(
    logits: Float[torch.Tensor, "R n C"], target: SoftTarget, tau: float
) -> Float[torch.Tensor, " R"]:
    """``constant - sum_i sum_c Q_ic log p_ic(tau)``: a weighted sum of KL divergences."""
    log_p = log_softmax(logits / tau)
    return target.constant - (target.mass * log_p).sum((1, 2))


def take_rows(
    x: Float[torch.Tensor, "R n C"], rows: Int[torch.Tensor, "R k"]
) -> Float[torch.Tensor, "R k C"]:
    """Each replica's own rows of ``x``."""
    return x.gather(1, rows.unsqueeze(2).expand(-1, -1, x.shape[2]))
