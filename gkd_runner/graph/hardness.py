"""Hardness of nodes, and HGMD's probability of keeping an edge (Wu et al., HGMD)."""

from __future__ import annotations

from jaxtyping import Float

from gkd_runner.common.lazy import torch
from gkd_runner.common.probabilities import negative_entropy
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.chunks import EdgeChunk, edge_chunks, per_edge

FLOOR = 1e-8
"""Stands in for a hardness of exactly 0, as in the authors' code."""


def hardness(probabilities: Float[torch.Tensor, "R n C"]) -> Float[torch.Tensor, "R n"]:
    """Entropy of each node's prediction over the largest of its replica; zeros become 1e-8."""
    entropy = -negative_entropy(probabilities)
    relative = entropy / entropy.amax(1, keepdim=True).clamp_min(torch.finfo(entropy.dtype).tiny)
    return torch.where(relative <= 0, FLOOR, relative)


def edge_cosines(
    graph: GraphBatch, probabilities: Float[torch.Tensor, "R n C"]
) -> Float[torch.Tensor, " E"]:
    """Cosine of the predictions at both ends of each edge."""
    unit = torch.nn.functional.normalize(probabilities, dim=2).flatten(0, 1)

    def cosines(chunk: EdgeChunk) -> Float[torch.Tensor, " e"]:
        own, others = unit.index_select(0, chunk.receivers), unit.index_select(0, chunk.senders)
        return own.mul_(others).sum(1)

    return per_edge(edge_chunks(graph, columns=unit.shape[1]), cosines)


def keep_probability(
    chunk: EdgeChunk,
    cosines: Float[torch.Tensor, " e"],
    own: Float[torch.Tensor, "R n"],
    neighbour: Float[torch.Tensor, "R n"],
    alpha: float,
) -> Float[torch.Tensor, " e"]:
    """``1 - exp(-alpha cos(t_i, t_j) own(i) / neighbour(j))``; 1 on self-loops.

    ``i`` is the student node (receiver), ``j`` its neighbour (sender). In HGMD ``own`` is the
    geometric mean of the teacher's and the student's hardness, ``neighbour`` the teacher's.
    ``cosines`` are those of the chunk's edges.
    """
    ratio = own.flatten().index_select(0, chunk.receivers)
    ratio.div_(neighbour.flatten().index_select(0, chunk.senders))
    ratio.clamp_(max=torch.finfo(ratio.dtype).max)  # infinite, it would make a cosine of 0 NaN
    probability = (-alpha * cosines).mul_(ratio).expm1_().neg_()
    return probability.index_fill_(0, chunk.loops, 1.0)


def annealed(alpha: float, epoch: int, max_epochs: int) -> float:
    """``alpha / 100 ** ((epoch - 1) / (max_epochs - 1))``: from alpha down to alpha / 100."""
    return float(alpha / 100 ** ((epoch - 1) / max(max_epochs - 1, 1)))
