"""The interface of all teachers: a graph neural network answers a view of some nodes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gkd_runner.data.graph import GraphData, IntArray
from gkd_runner.data.task import once_per_object
from gkd_runner.graph.features import Features
from gkd_runner.graph.field import Field, receptive_field
from gkd_runner.models.inputs import Inputs
from gkd_runner.models.streams import Streams

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
    """All that a teacher reads to answer for some nodes of each replica, on the device.

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
        """The view of all nodes of each replica's graph."""

    @abstractmethod
    def field_view(
        self,
        operands: Sequence[Operand],
        fields: Sequence[Field],
        device: torch.device,
        width: int | None = None,
    ) -> View[BlockT]:
        """The view of the last nodes of one field per replica.

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
        """Apply the end of ``layer`` (from 0), which treats each node alone; without dropout."""

    @abstractmethod
    def forward(self, view: View[BlockT], streams: Streams | None = None) -> Float[Tensor, "R n C"]:
        """Logits of the view's nodes; with ``streams``, with dropout."""


def whole_rows(model: Teacher[Any], operands: Sequence[Operand]) -> tuple[tuple[int, ...], ...]:
    """``View.rows`` of whole graphs."""
    return (tuple(o.graph.num_nodes for o in operands),) * (len(model.weights) - 1)


def field_rows(fields: Sequence[Field]) -> tuple[tuple[int, ...], ...]:
    """``View.rows`` of fields."""
    return tuple(
        tuple(map(len, rows)) for rows in zip(*(f.rows[1:-1] for f in fields), strict=True)
    )


def field_blocks(
    model: Teacher[BlockT], fields: Sequence[Field], first: int, device: torch.device
) -> tuple[BlockT, ...]:
    """The blocks of the fields' layers from ``first`` (0 is the lowest) on."""
    return tuple(
        model.block([f.blocks[k] for f in fields], [f.own[k] for f in fields], device)
        for k in range(first, len(fields[0].blocks))
    )
