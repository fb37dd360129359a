"""The rows and products that a training epoch cannot avoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from gkd_runner.data.graph import IntArray
from gkd_runner.options.schema import StudentConfig, TeacherConfig


def receptive_field(adjacency: sp.csr_array, nodes: IntArray, hops: int) -> list[IntArray]:
    """``nodes`` and all nodes within 1, 2, ..., ``hops`` edges of them: sorted ids each."""
    field = [np.unique(nodes)]
    reached = np.zeros(adjacency.shape[0], dtype=np.float32)
    for _ in range(hops):
        reached[field[-1]] = 1.0
        field.append(np.flatnonzero(reached + adjacency @ reached))
    return field


@dataclass(frozen=True)
class Layer:
    """One linear layer: ``[rows, fan_in] @ [fan_in, fan_out]``."""

    rows: int
    fan_in: int
    fan_out: int

    @property
    def multiplications(self) -> int:
        return self.rows * self.fan_in * self.fan_out


@dataclass(frozen=True)
class Hop:
    """One propagation: ``[rows, columns]`` edges, of vectors with ``width`` values."""

    rows: IntArray
    columns: IntArray
    width: int


@dataclass(frozen=True)
class Pass:
    """A pass of some rows through a model; ``trains`` if it is followed by the backward pass.

    Attributes:
        first: the rows of the first layer, before propagation if it propagates.
        propagated: the rows of the first layer after propagation; ``None`` without.
        hidden: the other layers.
        hops: the propagation of each layer, the first included.
        trains: whether gradients are needed.
    """

    first: IntArray
    propagated: IntArray | None
    hidden: tuple[Layer, ...]
    hops: tuple[Hop, ...]
    trains: bool


def layer_sizes(config: TeacherConfig | StudentConfig, features: int, classes: int) -> list[int]:
    """Widths from the features to the classes."""
    return [features, *[config.hidden_dim] * (config.num_layers - 1), classes]


def teacher_pass(field: Sequence[IntArray], sizes: Sequence[int], gat: bool, trains: bool) -> Pass:
    """The operations for the outputs of ``field[0]``; ``field[k]`` has those within ``k`` edges.

    A convolution's product stands on the side of its propagation with fewer rows. An attention
    layer multiplies before it propagates, and its input has dropout.
    """
    layers = len(sizes) - 1
    inputs = [field[layers - layer] for layer in range(layers)]
    outputs = [*inputs[1:], field[0]]
    where = inputs if gat else outputs
    shapes = list(pairwise(sizes))
    hidden = tuple(Layer(len(r), a, b) for r, (a, b) in list(zip(where, shapes, strict=True))[1:])
    widths = [b if not k or gat else min(a, b) for k, (a, b) in enumerate(shapes)]
    hops = tuple(map(Hop, outputs, inputs, widths))
    return Pass(inputs[0], None if gat else outputs[0], hidden, hops, trains)


def row_pass(rows: IntArray, sizes: Sequence[int], trains: bool) -> Pass:
    """The operations that the outputs of ``rows`` need in a multilayer perceptron."""
    hidden = tuple(Layer(len(rows), a, b) for a, b in list(pairwise(sizes))[1:])
    return Pass(rows, None, hidden, (), trains)
