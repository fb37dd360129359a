"""Hardness of nodes, and HGMD's probability of keeping an edge (Wu et al., HGMD)."""

from __future__ import annotations

from jaxtyping import Float

from gkd_runner.common.lazy import torch
from gkd_runner.graph.batch import GraphBatch

FLOOR = 1e-8
"""Stands in for a hardness of exactly 0, as in the authors' code."""


def hardness(probabilities: Float[torch.Tensor, "R n C"]) -> Float[torch.Tensor, "R n"]:
    """Entropy of each node's prediction over the largest of its replica; zeros become 1e-8."""
    entropy = -torch.xlogy(probabilities, probabilities).sum(2)
    relative = entropy / entropy.amax(1, keepdim=True).clamp_min(torch.finfo(entropy.dtype).tiny)
    return torch.where(relative <= 0, FLOOR, relative)


def edge_cosines(
    graph: GraphBatch, probabilities: Float[torch.Tensor, "R n C"]
) -> Float[torch.Tensor, " E"]:
    """Cosine of the predictions at both ends of each edge."""
    unit = torch.nn.functional.normalize(probabilities, dim=2).flatten(0, 1)
    return (unit[graph.receivers] * unit[graph.senders]).sum(1)


def keep_probability(
    graph: GraphBatch,
    cosines: Float[torch.Tensor, " E"],
    own: Float[torch.Tensor, "R n"],
    neighbour: Float[torch.Tensor, "R n"],
    alpha: float,
) -> Float[torch.Tensor, " E"]:
    """``1 - exp(-alpha cos(t_i, t_j) own(i) / neighbour(j))``; 1 on self-loops.

    ``i`` is the student node (receiver), ``j`` its neighbour (sender). In HGMD ``own`` is the
    geometric mean of the teacher's and the student's hardness, ``neighbour`` the teacher's.
    """
    ratio = own.flatten()[graph.receivers] / neighbour.flatten()[graph.senders]
    return torch.where(graph.is_loop, 1.0, -torch.expm1(-alpha * cosines * ratio))


def annealed(alpha: float, epoch: int, max_epochs: int) -> float:
    """``alpha / 100 ** ((epoch - 1) / (max_epochs - 1))``: from alpha down to alpha / 100."""
    return float(alpha / 100 ** ((epoch - 1) / max(max_epochs - 1, 1)))
