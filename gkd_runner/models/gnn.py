"""Teachers: GCN, GraphSAGE and GAT, replica-batched.

With copied weights each layer equals DGL's ``GraphConv``, ``SAGEConv("gcn")`` or ``GATConv``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.common.errors import ConfigError
from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import once_per_object
from gkd_runner.graph.batch import GraphBatch, batch_graphs
from gkd_runner.graph.features import Features
from gkd_runner.graph.operators import Operator, sage_mean, symmetric, to_device
from gkd_runner.graph.ops import edge_softmax, gather
from gkd_runner.models.inputs import Inputs, RawInputs, make_inputs, row_inputs
from gkd_runner.models.layers import Initializer, relu_dropout
from gkd_runner.models.streams import Streams, keep_scale
from gkd_runner.options.schema import GatConfig, TeacherConfig

RELU_GAIN = math.sqrt(2.0)


@dataclass(frozen=True, eq=False)
class GraphView:
    """Graphs and inputs of all replicas on the device, prepared for one architecture."""

    graph: GraphBatch
    inputs: Inputs
    operator: Operator | None = None


class Teacher(nn.Module, ABC):
    """A graph neural network for ``R`` replicas at once."""

    @abstractmethod
    def view(self, graphs: Sequence[GraphData], device: torch.device) -> GraphView:
        """Prepare one graph per replica."""

    @abstractmethod
    def forward(self, view: GraphView, streams: Streams | None = None) -> Float[Tensor, "R n C"]:
        """Logits; with ``streams``, with dropout."""


class Convolutional(Teacher):
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

    def view(self, graphs: Sequence[GraphData], device: torch.device) -> GraphView:
        graph = batch_graphs([g.adjacency for g in graphs], device)
        first = once_per_object(
            graphs, lambda g: Features(g.features, self.matrix(g.adjacency), (0.0, 1.0))
        )
        operator = to_device([features.operator for features in first], graph)
        return GraphView(graph, make_inputs(first, graph), operator)

    def forward(self, view: GraphView, streams: Streams | None = None) -> Tensor:
        assert view.operator is not None
        h: Tensor = view.inputs.matmul(self.weights[0]) + self.biases[0]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            h = relu_dropout(h, self.drop, streams)
            h = _convolve(view.operator, h, weight) + bias
        return h


def _convolve(operator: Operator, h: Tensor, weight: Tensor) -> Tensor:
    """``M h W``, aggregating on the narrower side."""
    replicas, n, _ = h.shape
    if weight.shape[1] < weight.shape[2]:
        return operator(h.flatten(0, 1)).view_as(h) @ weight
    return operator((h @ weight).flatten(0, 1)).view(replicas, n, -1)


class Gcn(Convolutional):
    """Kipf and Welling (2017): symmetric normalisation."""

    matrix = staticmethod(symmetric)


class Sage(Convolutional):
    """Hamilton et al. (2017) with the "gcn" aggregator."""

    gain = RELU_GAIN
    matrix = staticmethod(sage_mean)


class Gat(Teacher):
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

    def view(self, graphs: Sequence[GraphData], device: torch.device) -> GraphView:
        graph = batch_graphs([g.adjacency for g in graphs], device)
        features = once_per_object(graphs, lambda g: Features(g.features))
        return GraphView(graph, row_inputs(features, device))

    def forward(self, view: GraphView, streams: Streams | None = None) -> Tensor:
        inputs = view.inputs
        if streams is not None:
            assert isinstance(inputs, RawInputs)
            inputs = inputs.with_dropout(self.drop, streams)
        h = self._attend(0, inputs.matmul(self.weights[0]), view.graph, streams)
        for layer in range(1, len(self.weights)):
            h = relu_dropout(h, self.drop, streams)
            h = self._attend(layer, h @ self.weights[layer], view.graph, streams)
        replicas, n, _ = h.shape
        return h.view(replicas, n, self.sender_scores[-1].shape[1], -1).mean(2)

    def _attend(
        self, layer: int, z: Float[Tensor, "R n HD"], graph: GraphBatch, streams: Streams | None
    ) -> Float[Tensor, "R n HD"]:
        """Attention-weighted sums of the projected neighbours ``z``, plus bias."""
        replicas, n, _ = z.shape
        sender, receiver = self.sender_scores[layer], self.receiver_scores[layer]
        heads = z.view(replicas, n, *sender.shape[1:])
        from_sender = (heads * sender.unsqueeze(1)).sum(-1).flatten(0, 1)
        from_receiver = (heads * receiver.unsqueeze(1)).sum(-1).flatten(0, 1)
        scores = from_sender[graph.senders] + from_receiver[graph.receivers]
        attention = edge_softmax(graph, F.leaky_relu(scores, self.slope))
        attention = self._drop_attention(attention, graph, streams)
        gathered = gather(graph, attention, heads.flatten(0, 1)).view_as(z)
        out: Tensor = gathered + self.biases[layer]
        return out

    def _drop_attention(
        self, attention: Float[Tensor, "E H"], graph: GraphBatch, streams: Streams | None
    ) -> Float[Tensor, "E H"]:
        drop, heads = self.attention_drop, attention.shape[1]
        if streams is None or drop == 0:
            return attention
        keep = streams.keep_flat([count * heads for count in graph.edge_counts], drop)
        return attention * keep.view_as(attention) * keep_scale(drop)


def build_teacher(
    config: TeacherConfig, num_features: int, num_classes: int, init: Initializer
) -> Teacher:
    """The teacher that ``config`` names, freshly initialised."""
    sizes = [num_features, *[config.hidden_dim] * (config.num_layers - 1), num_classes]
    if isinstance(config, GatConfig):
        return Gat(config, sizes, init)
    kinds: dict[str, type[Convolutional]] = {"gcn": Gcn, "sage": Sage}
    if config.name not in kinds:
        raise ConfigError([f"teacher={config.name} is not one of gcn, sage, gat"])
    return kinds[config.name](config, sizes, init)
