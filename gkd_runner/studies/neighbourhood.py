"""Message passing for a few nodes: gather just the neighbourhood that their answer depends on.

A hop is the rows of the *full graph's* operator for the nodes that are asked for, so that nodes at
the rim keep their true degrees and the answer is that of a pass over the whole graph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gkd_runner.graph.batch import GraphBatch
from gkd_runner.models.gnn import Convolutional, Gat
from gkd_runner.models.inputs import SPARSE_COST
from gkd_runner.studies.rows import DenseRows, Rows, SparseRows

FEW = 2000
"""Up to this many columns sorting finds the distinct ones faster than marking all nodes does.

Measured on one core of an AMD EPYC, graphs of 2,700 to 18,000 nodes.
"""


@dataclass(frozen=True, eq=False)
class Hop:
    """What some nodes (the receivers) gather from.

    ``senders`` are the distinct nodes that they read, themselves included, by id; ``rows`` are the
    operator's rows of the receivers, with columns that count ``senders``.
    """

    receivers: Int[Tensor, " r"]
    senders: Int[Tensor, " s"]
    rows: SparseRows

    @cached_property
    def own(self) -> Int[Tensor, " r"]:
        """Where each receiver stands among the senders."""
        return torch.searchsorted(self.senders, self.receivers)

    @property
    def graph(self) -> GraphBatch:
        """A graph over the senders in which only the receivers have edges, as attention reads it.

        Receivers must be sorted.
        """
        degrees = torch.zeros_like(self.senders)
        degrees[self.own] = self.rows.counts
        offsets = F.pad(degrees.cumsum(0), (1, 0))
        receivers = torch.repeat_interleave(self.own, self.rows.counts)
        return GraphBatch(1, len(self.senders), offsets, self.rows.columns, receivers)


def neighbourhood(operator: SparseRows, nodes: Int[Tensor, " k"], hops: int) -> list[Hop]:
    """The hops that ``nodes`` depend on, the outermost first, whose senders' features are read.

    Every row of ``operator`` must have its own node among its columns (a self-loop).
    """
    found: list[Hop] = []
    for _ in range(hops):
        rows = operator.take(nodes)
        senders, columns = _distinct(rows.columns, len(operator.starts))
        found.insert(0, Hop(nodes, senders, replace(rows, columns=columns)))
        nodes = senders
    return found


def _distinct(
    columns: Int[Tensor, " e"], count: int
) -> tuple[Int[Tensor, " s"], Int[Tensor, " e"]]:
    """The distinct ids among ``columns`` (of ``count``), sorted, and each column's place there."""
    if len(columns) <= FEW:
        found, places = torch.unique(columns, return_inverse=True)
        return found, places
    seen = torch.zeros(count, dtype=torch.bool, device=columns.device)
    seen[columns] = True
    place = seen.cumsum(0) - 1
    return seen.nonzero().squeeze(1), place[columns]


def convolved(teacher: Convolutional, hops: list[Hop], inputs: Rows) -> Float[Tensor, "k C"]:
    """Logits of GCN or SAGE for the receivers of the last hop.

    ``inputs`` are the features of the first hop's senders.
    """
    layers = zip(hops, teacher.weights, teacher.biases, strict=True)
    for number, (hop, weight, bias) in enumerate(layers):
        if number:
            inputs = DenseRows(torch.relu(h))
        h: Tensor = _convolve(hop.rows, inputs, weight[0]) + bias[0]
    return h


def _convolve(rows: SparseRows, x: Rows, weight: Float[Tensor, "i o"]) -> Float[Tensor, "r o"]:
    """``M x W`` in the cheaper order: gathering first leaves fewer rows to multiply."""
    if isinstance(x, DenseRows) and _gathers_first(rows, len(x.x), weight):
        return rows.matmul(x.x) @ weight
    return rows.matmul(x.matmul(weight))


def _gathers_first(rows: SparseRows, senders: int, weight: Float[Tensor, "i o"]) -> bool:
    """By multiplications, those of a sparse product weighing more."""
    fan_in, fan_out = weight.shape
    edges = SPARSE_COST[weight.device.type] * len(rows.columns)
    receivers = len(rows.starts)
    first = edges * fan_in + receivers * fan_in * fan_out
    return first < senders * fan_in * fan_out + edges * fan_out


def attended(teacher: Gat, hops: list[Hop], inputs: Rows) -> Float[Tensor, "k C"]:
    """Logits of GAT for the (sorted) receivers of the last hop; ``inputs`` as in ``convolved``."""
    for layer, (hop, weight) in enumerate(zip(hops, teacher.weights, strict=True)):
        if layer:
            inputs = DenseRows(torch.relu(h))
        z = inputs.matmul(weight[0]).unsqueeze(0)
        h: Tensor = teacher._attend(layer, z, hop.graph, None)[0, hop.own]
    return h.view(len(h), teacher.sender_scores[-1].shape[1], -1).mean(1)
