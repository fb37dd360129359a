"""Teachers and student as plain modules; parameters are named and shaped as a replica's of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.plain.propagate import Edges, Propagation, attend
from gkd_runner.data.graph import GraphData
from gkd_runner.options.schema import GatConfig, StudentConfig, TeacherConfig


def _sizes(config: TeacherConfig | StudentConfig, features: int, classes: int) -> list[int]:
    return [features, *[config.hidden_dim] * (config.num_layers - 1), classes]


def _drawn(*shape: int) -> nn.Parameter:
    bound = math.sqrt(6.0 / sum(shape))
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class PlainMlp(nn.Module):
    """Linear layers with ReLU and dropout between them."""

    def __init__(self, drop: float, sizes: Sequence[int]) -> None:
        super().__init__()
        self.drop = drop
        self.weights = nn.ParameterList(_drawn(a, b) for a, b in pairwise(sizes))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(1, b)) for b in sizes[1:])

    def transform(self, h: Tensor, layer: int) -> Tensor:
        """One layer without its activation."""
        return h @ self.weights[layer] + self.biases[layer]

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every row."""
        h = self.transform(x, 0)
        for layer in range(1, len(self.weights)):
            h = self.transform(F.dropout(F.relu(h), self.drop, self.training), layer)
        return h


class PlainConvolution(PlainMlp):
    """GCN or SAGE: each layer is ``M h W + b``, with the narrower side propagated, as in DGL."""

    def __init__(self, drop: float, sizes: Sequence[int], propagation: Propagation) -> None:
        super().__init__(drop, sizes)
        self._propagation = propagation

    def transform(self, h: Tensor, layer: int) -> Tensor:
        weight = self.weights[layer]
        if weight.shape[0] > weight.shape[1]:
            return self._propagation(h @ weight) + self.biases[layer]
        return self._propagation(h) @ weight + self.biases[layer]


class PlainGat(nn.Module):
    """Graph attention with heads side by side; the output's heads are averaged."""

    def __init__(self, config: GatConfig, sizes: Sequence[int], edges: Edges) -> None:
        super().__init__()
        self._edges, self._config = edges, config
        last = len(sizes) - 2
        self.heads = [config.heads] * last + [config.output_heads]
        widths = [size // config.heads for size in sizes[1:-1]] + [sizes[-1]]
        shapes = list(zip(sizes, self.heads, widths, strict=False))
        self.weights = nn.ParameterList(_drawn(i, h * w) for i, h, w in shapes)
        self.sender_scores = nn.ParameterList(_drawn(h, w) for _, h, w in shapes)
        self.receiver_scores = nn.ParameterList(_drawn(h, w) for _, h, w in shapes)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(1, h * w)) for _, h, w in shapes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every node."""
        h = F.dropout(x, self._config.dropout, self.training)
        for layer in range(len(self.weights)):
            if layer:
                h = F.dropout(F.relu(h), self._config.dropout, self.training)
            h = self._attend(h @ self.weights[layer], layer)
        return h.view(len(h), self.heads[-1], -1).mean(1)

    def _attend(self, z: Tensor, layer: int) -> Tensor:
        edges = self._edges
        z = z.view(len(z), self.heads[layer], -1)
        sent = (z * self.sender_scores[layer]).sum(2)
        received = (z * self.receiver_scores[layer]).sum(2)
        slope, drop = self._config.negative_slope, self._config.attention_dropout
        scores = F.leaky_relu(sent[edges.src] + received[edges.dst], slope)
        weights = F.dropout(edges.softmax(scores), drop, self.training)
        return attend(weights, z, edges).flatten(1) + self.biases[layer]


def operator(name: str, adjacency: sp.csr_array) -> sp.csr_array:
    """GCN's ``D^-1/2 (A + I) D^-1/2``, or SAGE's ``(sum of neighbours + self) / (degree + 1)``.

    SAGE runs on the graph with self-loops, so a node counts itself twice.
    """
    loops = 1.0 if name == "gcn" else 2.0
    looped = adjacency + loops * sp.eye_array(adjacency.shape[0], format="csr")
    degree = np.asarray(looped.sum(axis=1)).ravel()
    if name == "gcn":
        root = sp.diags_array(degree**-0.5)
        return sp.csr_array(root @ looped @ root)
    return sp.csr_array(sp.diags_array(1.0 / degree) @ looped)


def plain_teacher(config: TeacherConfig, graph: GraphData, device: torch.device) -> nn.Module:
    """The teacher that ``config`` describes."""
    sizes = _sizes(config, graph.num_features, graph.num_classes)
    if isinstance(config, GatConfig):
        return PlainGat(config, sizes, Edges(graph.adjacency, device)).to(device)
    propagation = Propagation(operator(config.name, graph.adjacency), device)
    return PlainConvolution(config.dropout, sizes, propagation).to(device)


def plain_student(config: StudentConfig, graph: GraphData, device: torch.device) -> PlainMlp:
    """The student that ``config`` describes."""
    sizes = _sizes(config, graph.num_features, graph.num_classes)
    return PlainMlp(config.dropout, sizes).to(device)
