"""Teachers with a fixed operator: GCN and GraphSAGE.

With copied weights a layer equals DGL's ``GraphConv`` or ``SAGEConv("gcn")``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.data.graph import GraphData, IntArray
from gkd_runner.data.task import once_per_object
from gkd_runner.graph.features import Features
from gkd_runner.graph.field import Field
from gkd_runner.graph.matrix import SparseMatrix, to_device
from gkd_runner.graph.operators import sage_mean, symmetric
from gkd_runner.models.inputs import make_inputs
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
from gkd_runner.options.schema import TeacherConfig


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
        return View(make_inputs(first, device), blocks, whole_rows(self, operands))

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
        blocks = field_blocks(self, fields, 1, device)
        return View(make_inputs(first, device, width), blocks, field_rows(fields))

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


class Gcn(Convolutional):
    """Kipf and Welling (2017): symmetric normalisation."""

    matrix = staticmethod(symmetric)


class Sage(Convolutional):
    """Hamilton et al. (2017) with the "gcn" aggregator."""

    gain = RELU_GAIN
    matrix = staticmethod(sage_mean)


def _convolve(
    matrix: SparseMatrix, h: Float[Tensor, "R m d"], weight: Float[Tensor, "R d h"]
) -> Float[Tensor, "R n h"]:
    """``M h W``, in the order that multiplies fewer numbers."""
    replicas, _, fan_in = h.shape
    (targets, sources), fan_out, edges = matrix.size, weight.shape[2], len(matrix.values)
    before = edges * fan_in + targets * fan_in * fan_out
    after = sources * fan_in * fan_out + edges * fan_out
    if before < after:
        return linear(matrix(h.flatten(0, 1)).view(replicas, -1, fan_in), weight)
    return matrix(linear(h, weight).flatten(0, 1)).view(replicas, -1, fan_out)
