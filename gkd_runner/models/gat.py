"""A teacher with attention: GAT. With copied weights a layer equals DGL's ``GATConv``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.data.graph import GraphData, IntArray
from gkd_runner.data.task import once_per_object
from gkd_runner.graph.batch import GraphBatch, batch_blocks
from gkd_runner.graph.field import Field
from gkd_runner.graph.operators import with_self_loops
from gkd_runner.graph.ops import edge_softmax, gather
from gkd_runner.models.inputs import RawInputs, row_inputs
from gkd_runner.models.layers import Initializer, activate, linear
from gkd_runner.models.streams import Streams
from gkd_runner.models.teacher import (
    RELU_GAIN,
    Operand,
    Teacher,
    View,
    field_blocks,
    field_rows,
    whole_rows,
)
from gkd_runner.options.schema import GatConfig


class Gat(Teacher[GraphBatch]):
    """Veličković et al. (2018). The output layer has its own number of heads (released codes)."""

    def __init__(self, config: GatConfig, sizes: Sequence[int], init: Initializer) -> None:
        super().__init__()
        self.drop, self.attention_drop = config.dropout, config.attention_dropout
        self.slope = config.negative_slope
        last = len(sizes) - 2
        heads = [config.heads] * last + [config.output_heads]
        widths = [size // config.heads for size in sizes[1:-1]] + [sizes[-1]]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        self.sender_scores, self.receiver_scores = nn.ParameterList(), nn.ParameterList()
        for fan_in, count, width in zip(sizes, heads, widths, strict=False):
            std = RELU_GAIN * math.sqrt(2.0 / (fan_in + count * width))
            score_std = RELU_GAIN * math.sqrt(2.0 / (count * width + width))
            self.weights.append(init.normal(fan_in, count * width, std=std))
            self.sender_scores.append(init.normal(count, width, std=score_std))
            self.receiver_scores.append(init.normal(count, width, std=score_std))
            self.biases.append(init.zeros(1, count * width))

    def operand(self, graph: GraphData) -> Operand:
        return Operand(graph, with_self_loops(graph.adjacency))

    def whole_view(self, operands: Sequence[Operand], device: torch.device) -> View[GraphBatch]:
        """Every layer aggregates, so there is a block for each."""
        features = once_per_object(operands, lambda o: o.features)
        block = batch_blocks([o.operator for o in operands], None, device)
        blocks = (block,) * len(self.weights)
        return View(row_inputs(features, device), blocks, whole_rows(self, operands))

    def field_view(
        self,
        operands: Sequence[Operand],
        fields: Sequence[Field],
        device: torch.device,
        width: int | None = None,
    ) -> View[GraphBatch]:
        rows = [o.features.rows(f.rows[0]) for o, f in zip(operands, fields, strict=True)]
        blocks = field_blocks(self, fields, 0, device)
        # dropout draws a number for each value of the form, so its choice must be repeatable
        inputs = row_inputs(rows, device, width if self.drop == 0 else None)
        return View(inputs, blocks, field_rows(fields))

    def block(
        self, blocks: Sequence[sp.csr_array], own: Sequence[IntArray], device: torch.device
    ) -> GraphBatch:
        return batch_blocks(blocks, own, device)

    def aggregates_first(self, layer: int) -> bool:
        return False

    def forward(self, view: View[GraphBatch], streams: Streams | None = None) -> Tensor:
        inputs = view.inputs
        if streams is not None:
            assert isinstance(inputs, RawInputs)
            inputs = inputs.with_dropout(self.drop, streams)
        first, *others = view.blocks
        z = self.aggregate(0, inputs.matmul(self.weights[0]), first, streams)
        for layer, block in enumerate(others, 1):
            h = activate(z, self.biases[layer - 1], self.drop, streams, view.rows[layer - 1])
            z = self.aggregate(layer, linear(h, self.weights[layer]), block, streams)
        return self.finish(len(others), z)

    def finish(self, layer: int, z: Tensor) -> Tensor:
        """The activation of a hidden layer; the mean of the output layer's heads."""
        if layer < len(self.weights) - 1:
            return activate(z, self.biases[layer], 0.0, None)
        logits: Tensor = z + self.biases[-1]
        return logits.view(*z.shape[:2], self.sender_scores[-1].shape[1], -1).mean(2)

    def aggregate(
        self, layer: int, h: Tensor, block: GraphBatch, streams: Streams | None = None
    ) -> Tensor:
        """Attention-weighted sums of the projected neighbours ``h``."""
        sender, receiver = self.sender_scores[layer], self.receiver_scores[layer]
        heads = h.view(*h.shape[:2], *sender.shape[1:])
        scored = heads.transpose(1, 2) @ torch.stack([sender, receiver], dim=3)
        from_sender, from_receiver = scored.transpose(1, 2).flatten(0, 1).unbind(2)
        scores = from_sender[block.senders] + from_receiver[block.receivers_as_sources]
        attention = edge_softmax(block, F.leaky_relu(scores, self.slope))
        attention = self._drop_attention(attention, block, streams)
        gathered = gather(block, attention, heads.flatten(0, 1))
        return gathered.view(block.replicas, block.nodes, -1)

    def _drop_attention(
        self, attention: Float[Tensor, "E H"], graph: GraphBatch, streams: Streams | None
    ) -> Float[Tensor, "E H"]:
        drop, heads = self.attention_drop, attention.shape[1]
        if streams is None or drop == 0:
            return attention
        mask = streams.mask_flat([count * heads for count in graph.edge_counts], drop)
        return attention * mask.view_as(attention)
