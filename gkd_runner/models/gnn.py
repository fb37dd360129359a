"""Teachers: GCN, GraphSAGE and GAT, replica-batched.

With copied weights each layer equals DGL's ``GraphConv``, ``SAGEConv("gcn")`` or ``GATConv``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.common.errors import ConfigError
from gkd_runner.data.graph import GraphData, IntArray
from gkd_runner.data.task import once_per_object
from gkd_runner.graph.batch import GraphBatch, batch_blocks, batch_graphs
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
class View(Generic[BlockT]):
    """What a teacher reads to answer for some nodes of each replica, on the device.

    ``inputs`` are what its first weights are applied to; ``blocks`` carry the messages of the
    layers that aggregate, one for each.
    """

    inputs: Inputs
    blocks: tuple[BlockT, ...]


class Teacher(nn.Module, ABC, Generic[BlockT]):
    """A graph neural network for ``R`` replicas at once."""

    weights: nn.ParameterList

    @abstractmethod
    def view(
        self,
        graphs: Sequence[GraphData],
        device: torch.device,
        nodes: Sequence[IntArray] | None = None,
    ) -> View[BlockT]:
        """Prepare one graph per replica to answer for ``nodes`` of each, or for all nodes.

        Only the receptive field of these nodes is read. Replicas with a smaller field are padded.
        """

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

    def view(
        self,
        graphs: Sequence[GraphData],
        device: torch.device,
        nodes: Sequence[IntArray] | None = None,
    ) -> View[SparseMatrix]:
        """Features are aggregated by the first layer's operator, so blocks are those above it."""
        first = once_per_object(
            graphs, lambda g: Features(g.features, self.matrix(g.adjacency), (0.0, 1.0))
        )
        layers, width = len(self.weights), self.weights[0].shape[2]
        if nodes is None:
            operators = [features.operator for features in first]
            blocks = (to_device(operators, device),) * (layers - 1)
            return View(make_inputs(first, device), blocks)
        fields = _fields(graphs, nodes, layers)
        rows = [f.factored_rows(field.rows[1]) for f, field in zip(first, fields, strict=True)]
        blocks = tuple(
            to_device(
                [field.block(f.operator, k) for f, field in zip(first, fields, strict=True)],
                device,
            )
            for k in range(2, layers + 1)
        )
        return View(make_inputs(rows, device, width), blocks)

    def forward(self, view: View[SparseMatrix], streams: Streams | None = None) -> Tensor:
        z: Tensor = view.inputs.matmul(self.weights[0])
        for block, bias, weight in zip(
            view.blocks, self.biases[:-1], self.weights[1:], strict=True
        ):
            z = _convolve(block, activate(z, bias, self.drop, streams), weight)
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


def _fields(graphs: Sequence[GraphData], nodes: Sequence[IntArray], layers: int) -> list[Field]:
    return [
        receptive_field(graph.adjacency, ids, layers)
        for graph, ids in zip(graphs, nodes, strict=True)
    ]


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

    def view(
        self,
        graphs: Sequence[GraphData],
        device: torch.device,
        nodes: Sequence[IntArray] | None = None,
    ) -> View[GraphBatch]:
        """Every layer aggregates, so there is a block for each."""
        layers, width = len(self.weights), self.weights[0].shape[2]
        features = once_per_object(graphs, lambda g: Features(g.features))
        if nodes is None:
            blocks = (batch_graphs([g.adjacency for g in graphs], device),) * layers
            return View(row_inputs(features, device), blocks)
        fields = _fields(graphs, nodes, layers)
        looped = once_per_object(graphs, lambda g: with_self_loops(g.adjacency))
        blocks = tuple(
            batch_blocks(
                [field.block(matrix, k) for matrix, field in zip(looped, fields, strict=True)],
                [field.own(k) for field in fields],
                device,
            )
            for k in range(1, layers + 1)
        )
        rows = [f.rows(field.rows[0]) for f, field in zip(features, fields, strict=True)]
        return View(row_inputs(rows, device, width), blocks)

    def forward(self, view: View[GraphBatch], streams: Streams | None = None) -> Tensor:
        inputs = view.inputs
        if streams is not None:
            assert isinstance(inputs, RawInputs)
            inputs = inputs.with_dropout(self.drop, streams)
        first, *others = view.blocks
        z = self._attend(0, inputs.matmul(self.weights[0]), first, streams)
        for layer, block in enumerate(others, 1):
            h = activate(z, self.biases[layer - 1], self.drop, streams)
            z = self._attend(layer, h @ self.weights[layer], block, streams)
        replicas, n, _ = z.shape
        logits: Tensor = z + self.biases[-1]
        return logits.view(replicas, n, self.sender_scores[-1].shape[1], -1).mean(2)

    def _attend(
        self, layer: int, z: Float[Tensor, "R m HD"], block: GraphBatch, streams: Streams | None
    ) -> Float[Tensor, "R n HD"]:
        """Attention-weighted sums of the projected neighbours ``z``."""
        sender, receiver = self.sender_scores[layer], self.receiver_scores[layer]
        heads = z.view(*z.shape[:2], *sender.shape[1:])
        from_sender = (heads * sender.unsqueeze(1)).sum(-1).flatten(0, 1)
        from_receiver = (heads * receiver.unsqueeze(1)).sum(-1).flatten(0, 1)
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
