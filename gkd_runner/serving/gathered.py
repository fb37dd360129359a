"""GNNs on gathered neighbourhoods, equal to those of ``models/`` on the whole graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gkd_runner.models.gat import Gat
from gkd_runner.serving.matrices import (
    SPARSE_COST,
    DenseMatrix,
    Layer,
    Matrix,
    SparseMatrix,
    layers_of,
)
from gkd_runner.serving.neighbourhood import Hop


def convolved(layers: Sequence[Layer], hops: Sequence[Hop], inputs: Matrix) -> Float[Tensor, "k C"]:
    """Logits of GCN or SAGE for the receivers of the last hop.

    ``inputs`` are the features of the first hop's senders.
    """
    for number, (hop, (weight, bias)) in enumerate(zip(hops, layers, strict=True)):
        if number:
            inputs = DenseMatrix(torch.relu(h))
        h: Tensor = _convolve(hop.rows, inputs, weight) + bias
    return h


def _convolve(rows: SparseMatrix, x: Matrix, weight: Float[Tensor, "i o"]) -> Float[Tensor, "r o"]:
    """``M x W`` in the cheaper order: gathering first leaves fewer rows to multiply."""
    if isinstance(x, DenseMatrix) and _gathers_first(rows, len(x.x), weight):
        return rows.matmul(x.x) @ weight
    return rows.matmul(x.matmul(weight))


def _gathers_first(rows: SparseMatrix, senders: int, weight: Float[Tensor, "i o"]) -> bool:
    """True if gathering first takes fewer multiplications; sparse ones count more."""
    fan_in, fan_out = weight.shape
    edges = SPARSE_COST[weight.device.type] * len(rows.columns)
    receivers = len(rows.starts)
    first = edges * fan_in + receivers * fan_in * fan_out
    return first < senders * fan_in * fan_out + edges * fan_out


@dataclass(frozen=True, eq=False)
class Attention:
    """One layer of GAT for its only replica; scores of ``H`` heads ``[H, d]``."""

    layer: Layer
    sender: Float[Tensor, "H d"]
    receiver: Float[Tensor, "H d"]
    slope: float

    def __call__(self, hop: Hop, inputs: Matrix) -> Float[Tensor, "r Hd"]:
        """Attention-weighted sums over the senders of each receiver."""
        weight, bias = self.layer
        z = inputs.matmul(weight)
        heads = z.view(len(z), *self.sender.shape)
        rows = torch.repeat_interleave(hop.rows.counts)
        of_sender = (heads * self.sender).sum(2).index_select(0, hop.rows.columns)
        of_receiver = (heads.index_select(0, hop.own) * self.receiver).sum(2).index_select(0, rows)
        scores = F.leaky_relu(of_sender + of_receiver, self.slope)
        return _weighted(hop.rows, _softmax(scores, hop.rows, rows), heads) + bias


def _softmax(
    scores: Float[Tensor, "e H"], edges: SparseMatrix, rows: Int[Tensor, " e"]
) -> Float[Tensor, "e H"]:
    """Softmax over the edges of each row, for each head."""
    highest = torch.segment_reduce(scores, "max", lengths=edges.counts, axis=0)
    weights = (scores - highest.index_select(0, rows)).exp()
    total = torch.segment_reduce(weights, "sum", lengths=edges.counts, axis=0)
    return weights / total.index_select(0, rows)


def _weighted(
    edges: SparseMatrix, weights: Float[Tensor, "e H"], heads: Float[Tensor, "s H d"]
) -> Float[Tensor, "r Hd"]:
    """Weighted sums of the senders, with each head's own weights, as one sparse product."""
    count = heads.shape[1]
    head = torch.arange(count, device=heads.device).unsqueeze(1)
    stacked = SparseMatrix(
        (edges.starts + head * len(edges.columns)).flatten(),
        edges.counts.repeat(count),
        (edges.columns * count + head).flatten(),
        weights.T.flatten(),
    )
    summed = stacked.matmul(heads.flatten(0, 1)).view(count, len(edges.starts), -1)
    return summed.transpose(0, 1).flatten(1)


def attentions_of(teacher: Gat) -> list[Attention]:
    """The layers of ``teacher``."""
    scores = zip(teacher.sender_scores, teacher.receiver_scores, strict=True)
    return [
        Attention(layer, sender.detach()[0], receiver.detach()[0], teacher.slope)
        for layer, (sender, receiver) in zip(layers_of(teacher), scores, strict=True)
    ]


def attended(
    layers: Sequence[Attention], hops: Sequence[Hop], inputs: Matrix
) -> Float[Tensor, "k C"]:
    """Logits of GAT for the receivers of the last hop; ``inputs`` as in ``convolved``."""
    for number, (hop, layer) in enumerate(zip(hops, layers, strict=True)):
        if number:
            inputs = DenseMatrix(torch.relu(h))
        h: Tensor = layer(hop, inputs)
    return h.view(len(h), len(layers[-1].sender), -1).mean(1)
