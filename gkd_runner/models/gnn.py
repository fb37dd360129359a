"""Teachers: GCN, GraphSAGE and GAT, replica-batched.

With copied weights each layer equals DGL's ``GraphConv``, ``SAGEConv("gcn")`` or ``GATConv``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeVar

import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.common.errors import ConfigError
from gkd_runner.data.graph import GraphData, IntArray
from gkd_runner.data.task import once_per_object
from gkd_runner.graph.batch import GraphBatch, batch_blocks
from gkd_runner.graph.features import Features
from gkd_runner.graph.field import Field, receptive_field
from gkd_runner.graph.matrix import SparseMatrix, to_device
from gkd_runner.graph.operators import sage_mean, symmetric, with_self_loops
from gkd_runner.graph.ops import edge_softmax, gather
from gkd_runner.models.inputs import Inputs, RawInputs, make_inputs, row_inputs
from gkd_runner.models.layers import Initializer, activate
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import GatConfig, TeacherConfig

BlockT = TypeVar("BlockT")

RELU_GAIN = math.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class Operand:
    """A graph as a teacher reads it: its features, and the operator that each layer applies.

    ``operator`` has the pattern of the adjacency with self-loops, and sorted indices.
    """

    graph: GraphData
    operator: sp.csr_array

    @property
    def features(self) -> Features:
        """The features without the operator."""
        return Features(self.graph.features)


@dataclass(frozen=True, eq=False)
class View(Generic[BlockT]):
    """What a teacher reads to answer for some nodes of each replica, on the device.

    ``inputs`` are what its first weights are applied to; ``blocks`` carry the messages of the
    layers that aggregate, one for each. ``rows[k - 1]`` has the number of nodes of each replica
    after layer ``k``, for all but the last layer; replicas with fewer are padded.
    """

    inputs: Inputs
    blocks: tuple[BlockT, ...]
    rows: tuple[tuple[int, ...], ...]


class Teacher(nn.Module, ABC, Generic[BlockT]):
    """A graph neural network for ``R`` replicas at once."""

    weights: nn.ParameterList

    @abstractmethod
    def operand(self, graph: GraphData) -> Operand:
        """The graph with this teacher's operator."""

    def view(
        self,
        graphs: Sequence[GraphData],
        device: torch.device,
        nodes: Sequence[IntArray] | None = None,
    ) -> View[BlockT]:
        """Prepare one graph per replica to answer for ``nodes`` of each, or for all nodes.

        Only the receptive field of these nodes is read. Replicas with a smaller field are padded.
        """
        operands = once_per_object(graphs, self.operand)
        if nodes is None:
            return self.whole_view(operands, device)
        layers, width = len(self.weights), self.weights[0].shape[2]
        fields = [
            receptive_field(operand.operator, ids, layers)
            for operand, ids in zip(operands, nodes, strict=True)
        ]
        return self.field_view(operands, fields, device, width)

    @abstractmethod
    def whole_view(self, operands: Sequence[Operand], device: torch.device) -> View[BlockT]:
        """What all nodes of each replica's graph need."""

    @abstractmethod
    def field_view(
        self,
        operands: Sequence[Operand],
        fields: Sequence[Field],
        device: torch.device,
        width: int | None = None,
    ) -> View[BlockT]:
        """What the last nodes of one field per replica need.

        With ``width`` (of the first layer's output) the forms of its inputs may be timed.
        """

    @abstractmethod
    def block(
        self, blocks: Sequence[sp.csr_array], own: Sequence[IntArray], device: torch.device
    ) -> BlockT:
        """One layer's block of each replica, on the device; see ``Field``."""

    @abstractmethod
    def aggregates_first(self, layer: int) -> bool:
        """True if ``layer`` (from 0) is cheaper with its weights applied after aggregation."""

    @abstractmethod
    def aggregate(
        self, layer: int, h: Float[Tensor, "R m d"], block: BlockT, streams: Streams | None = None
    ) -> Float[Tensor, "R n d"]:
        """Aggregate what the block's sources send, in ``layer`` (from 0)."""

    @abstractmethod
    def finish(self, layer: int, z: Float[Tensor, "R n d"]) -> Float[Tensor, "R n h"]:
        """What ``layer`` (from 0) does with each node at its end, without dropout."""

    @abstractmethod
    def forward(self, view: View[BlockT], streams: Streams | None = None) -> Float[Tensor, "R n C"]:
        """Logits of the view's nodes; with ``streams``, with dropout."""


class Convolutional(Teacher[SparseMatrix]):
    """A stack of ``M h W + b`` with a fixed operator ``M``: GCN and SAGE."""

    gain = 1.0

    def __init__(self, config: TeacherConfig, sizes: Sequence[int], init: Initializer) -> None:
        super().__init__()
        self.drop = config.dropout
        shapes = list(pairwise(sizes))
        self.weights = nn.ParameterList(init.xavier_uniform(i, o, self.gain) for i, o in shapes)
        self.biases = nn.ParameterList(init.zeros(1, o) for _, o in shapes)

    @staticmethod
    @abstractmethod
    def matrix(adjacency: sp.csr_array) -> sp.csr_array:
        """The operator ``M`` of one graph."""

    def operand(self, graph: GraphData) -> Operand:
        return Operand(graph, self.matrix(graph.adjacency))

    def whole_view(self, operands: Sequence[Operand], device: torch.device) -> View[SparseMatrix]:
        """Features are aggregated by the first layer's operator, so blocks are those above it."""
        first = once_per_object(
            operands, lambda o: Features(o.graph.features, o.operator, (0.0, 1.0))
        )
        blocks = (to_device([o.operator for o in operands], device),) * (len(self.weights) - 1)
        return View(make_inputs(first, device), blocks, _whole_rows(self, operands))

    def field_view(
        self,
        operands: Sequence[Operand],
        fields: Sequence[Field],
        device: torch.device,
        width: int | None = None,
    ) -> View[SparseMatrix]:
        first = [
            Features(operand.graph.features[field.rows[0]], field.blocks[0], (0.0, 1.0))
            for operand, field in zip(operands, fields, strict=True)
        ]
        blocks = _blocks(self, fields, 1, device)
        return View(make_inputs(first, device, width), blocks, _field_rows(fields))

    def block(
        self, blocks: Sequence[sp.csr_array], own: Sequence[IntArray], device: torch.device
    ) -> SparseMatrix:
        return to_device(blocks, device)

    def aggregates_first(self, layer: int) -> bool:
        _, fan_in, fan_out = self.weights[layer].shape
        return bool(fan_in < fan_out)

    def aggregate(
        self, layer: int, h: Tensor, block: SparseMatrix, streams: Streams | None = None
    ) -> Tensor:
        return block(h.flatten(0, 1)).view(len(h), -1, h.shape[2])

    def finish(self, layer: int, z: Tensor) -> Tensor:
        if layer < len(self.weights) - 1:
            return activate(z, self.biases[layer], 0.0, None)
        logits: Tensor = z + self.biases[-1]
        return logits

    def forward(self, view: View[SparseMatrix], streams: Streams | None = None) -> Tensor:
        z: Tensor = view.inputs.matmul(self.weights[0])
        for block, rows, bias, weight in zip(
            view.blocks, view.rows, self.biases[:-1], self.weights[1:], strict=True
        ):
            z = _convolve(block, activate(z, bias, self.drop, streams, rows), weight)
        logits: Tensor = z + self.biases[-1]
        return logits


def _convolve(
    matrix: SparseMatrix, h: Float[Tensor, "R m d"], weight: Float[Tensor, "R d h"]
) -> Float[Tensor, "R n h"]:
    """``M h W``, in the order that multiplies fewer numbers."""
    replicas, _, fan_in = h.shape
    (targets, sources), fan_out, edges = matrix.size, weight.shape[2], len(matrix.values)
    before = edges * fan_in + targets * fan_in * fan_out
    after = sources * fan_in * fan_out + edges * fan_out
    if before < after:
        return matrix(h.flatten(0, 1)).view(replicas, -1, fan_in) @ weight
    return matrix((h @ weight).flatten(0, 1)).view(replicas, -1, fan_out)


def _whole_rows(model: Teacher[Any], operands: Sequence[Operand]) -> tuple[tuple[int, ...], ...]:
    return (tuple(o.graph.num_nodes for o in operands),) * (len(model.weights) - 1)


def _field_rows(fields: Sequence[Field]) -> tuple[tuple[int, ...], ...]:
    return tuple(
        tuple(map(len, rows)) for rows in zip(*(f.rows[1:-1] for f in fields), strict=True)
    )


def _blocks(
    model: Teacher[BlockT], fields: Sequence[Field], first: int, device: torch.device
) -> tuple[BlockT, ...]:
    """The blocks of the fields' layers from ``first`` (0 is the lowest) on."""
    return tuple(
        model.block([f.blocks[k] for f in fields], [f.own[k] for f in fields], device)
        for k in range(first, len(fields[0].blocks))
    )


class Gcn(Convolutional):
    """Kipf and Welling (2017): symmetric normalisation."""

    matrix = staticmethod(symmetric)


class Sage(Convolutional):
    """Hamilton et al. (2017) with the "gcn" aggregator."""

    gain = RELU_GAIN
    matrix = staticmethod(sage_mean)


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
        return View(row_inputs(features, device), blocks, _whole_rows(self, operands))

    def field_view(
        self,
        operands: Sequence[Operand],
        fields: Sequence[Field],
        device: torch.device,
        width: int | None = None,
    ) -> View[GraphBatch]:
        rows = [o.features.rows(f.rows[0]) for o, f in zip(operands, fields, strict=True)]
        blocks = _blocks(self, fields, 0, device)
        # dropout draws a number for each value of the form, so its choice must be repeatable
        inputs = row_inputs(rows, device, width if self.drop == 0 else None)
        return View(inputs, blocks, _field_rows(fields))

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
            z = self.aggregate(layer, h @ self.weights[layer], block, streams)
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


def build_teacher(
    config: TeacherConfig, num_features: int, num_classes: int, init: Initializer
) -> Convolutional | Gat:
    """The teacher that ``config`` names, freshly initialised."""
    sizes = [num_features, *[config.hidden_dim] * (config.num_layers - 1), num_classes]
    if isinstance(config, GatConfig):
        return Gat(config, sizes, init)
    kinds: dict[str, type[Convolutional]] = {"gcn": Gcn, "sage": Sage}
    if config.name not in kinds:
        raise ConfigError([f"teacher={config.name} is not one of gcn, sage, gat"])
    return kinds[config.name](config, sizes, init)
