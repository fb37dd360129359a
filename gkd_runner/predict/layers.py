"""The student's layers in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from gkd_runner.data.graph import FloatArray, IntArray

Layer = tuple[FloatArray, FloatArray]
"""Weight ``[i, o]`` and bias ``[1, o]``."""

Row = tuple[IntArray, FloatArray]
"""The columns of a row that are not zero, and their values."""

ROWS = 256
"""Rows that pass through the later layers together, so that they stay in the processor's cache."""


def layers_of(tensors: Mapping[str, FloatArray], prefix: str = "") -> list[Layer]:
    """The layers in a state as training saves it: ``weights.0``, ``biases.0`` and so on."""
    count = sum(name.startswith(f"{prefix}weights.") for name in tensors)
    return [(tensors[f"{prefix}weights.{i}"], tensors[f"{prefix}biases.{i}"]) for i in range(count)]


def later_layers(layers: Sequence[Layer], first: FloatArray) -> FloatArray:
    """Probabilities ``[n, C]`` from the product ``[n, h]`` of the first layer, before its bias."""
    if len(first) <= ROWS:
        return _later(layers, first)
    parts = [_later(layers, first[start : start + ROWS]) for start in range(0, len(first), ROWS)]
    return np.concatenate(parts)


def _later(layers: Sequence[Layer], first: FloatArray) -> FloatArray:
    h = first + layers[0][1]
    for weight, bias in layers[1:]:
        np.maximum(h, 0, out=h)
        h = h @ weight
        h += bias
    h -= h.max(axis=1, keepdims=True)
    np.exp(h, out=h)
    h /= h.sum(axis=1, keepdims=True)
    return h


def single_rows(source: Any, nodes: IntArray) -> list[Row]:
    """The rows ``nodes`` of a dense, memory-mapped or CSR matrix, each for itself."""
    if sp.issparse(source):
        bounds = [(source.indptr[node], source.indptr[node + 1]) for node in nodes]
        return [(source.indices[a:b], source.data[a:b]) for a, b in bounds]
    rows = np.asarray(source[nodes], dtype=np.float32)
    stored = [np.flatnonzero(row) for row in rows]
    return [(columns, row[columns]) for columns, row in zip(stored, rows, strict=True)]


def answer_rows(models: Sequence[Sequence[Layer]], rows: Sequence[Row]) -> FloatArray:
    """Mean probabilities ``[k, C]`` of ``models`` for a few rows with many zeros.

    The first layer reads only the weights of the columns that are not zero.
    """
    return mean_answer(
        _later(
            layers,
            np.stack([values @ layers[0][0].take(columns, axis=0) for columns, values in rows]),
        )
        for layers in models
    )


def mean_answer(answers: Iterable[FloatArray]) -> FloatArray:
    """The mean of the students' probabilities."""
    first, *others = answers
    return np.mean([first, *others], axis=0) if others else first
