"""Soft targets from weights of edges: ``Q_i = sum_j w_ij t_j``, as one sparse product."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float

from gkd_runner.common.lazy import torch
from gkd_runner.common.probabilities import negative_entropy
from gkd_runner.graph.batch import GraphBatch
from gkd_runner.graph.kernels import spmm
from gkd_runner.methods.objective import SoftTarget


@dataclass(frozen=True, eq=False)
class Aggregator:
    """Sums the probabilities ``t`` of each node's neighbours, anew for other weights.

    No tensor ``[E, C]`` is made; beside the graph it needs memory for nodes only.
    """

    graph: GraphBatch
    probabilities: Float[torch.Tensor, "R n C"]

    def __call__(
        self,
        weights: Float[torch.Tensor, " E"],
        scale: Float[torch.Tensor, "R _"] | None = None,
    ) -> SoftTarget:
        """``Q_i = a_i sum_j w_ij t_j``, with the constant of ``sum_ij a_i w_ij KL(t_j || s_i)``.

        ``scale`` has ``a``, for each node ``[R, n]`` or each replica ``[R, 1]``; without it,
        ``a_i`` is 1.
        """
        sums = spmm(self.graph, weights.unsqueeze(1), self._table).view(*self._shape)
        mass, entropies = sums[..., :-1], sums[..., -1]
        if scale is None:
            return SoftTarget(mass.contiguous(), entropies.sum(1))
        return SoftTarget(mass * scale.unsqueeze(2), (entropies * scale).sum(1))

    @property
    def _shape(self) -> tuple[int, int, int]:
        replicas, nodes, classes = self.probabilities.shape
        return replicas, nodes, classes + 1

    @cached_property
    def _table(self) -> Float[torch.Tensor, "N 1 C_plus_1"]:
        """Probabilities and, beside them, their negative entropy, which sums to the constant."""
        entropies = negative_entropy(self.probabilities).unsqueeze(2)
        return torch.cat([self.probabilities, entropies], dim=2).flatten(0, 1).unsqueeze(1)
