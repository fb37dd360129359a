"""Answers of a teacher for all nodes, one layer after another, each in chunks of nodes.

A chunk of a layer reads all neighbours of its nodes. The representations of all nodes stay on the
host, so the device holds one chunk, and the host the input and the output of one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.data.graph import FloatArray
from gkd_runner.graph.features import Features
from gkd_runner.models.inputs import row_inputs
from gkd_runner.models.teacher import Operand, Teacher

ROWS_AT_ONCE = 8192
"""Nodes of a chunk. Their neighbours are read with them: 400,000 edges at a mean degree of 50."""

State: TypeAlias = Tensor | FloatArray | sp.csr_array
"""The representations of all nodes on the host, ``[n, d]``; features are as in ``GraphData``."""


@torch.no_grad()
def layerwise(
    model: Teacher[Any], operand: Operand, device: torch.device, rows: int = ROWS_AT_ONCE
) -> Float[Tensor, "n C"]:
    """Logits of all nodes, without dropout, on the host; ``model`` has a single replica."""
    steps = _Pass(model, operand, device, rows)
    h: State = operand.graph.features
    for layer in range(len(model.weights)):
        if not sp.issparse(h) and model.aggregates_first(layer):
            h = steps.aggregated_and_projected(layer, h)
        else:
            h = steps.projected(layer, h)
            h = steps.aggregated(layer, h)
    assert isinstance(h, Tensor)
    return h


@dataclass(frozen=True, eq=False)
class _Pass:
    """The steps of a layer (from 0): each computes a new state in chunks of ``rows`` nodes."""

    model: Teacher[Any]
    operand: Operand
    device: torch.device
    rows: int

    def projected(self, layer: int, h: State) -> Tensor:
        weight = self.model.weights[layer]

        def step(part: slice) -> Tensor:
            if isinstance(h, Tensor):
                return torch.matmul(h[part].to(self.device).unsqueeze(0), weight)
            product: Tensor = row_inputs([Features(h[part])], self.device).matmul(weight)
            return product

        return self._by_rows(step)

    def aggregated(self, layer: int, h: Tensor) -> Tensor:
        return self._by_rows(lambda part: self.model.finish(layer, self._sum(layer, h, part)))

    def aggregated_and_projected(self, layer: int, h: Tensor | FloatArray) -> Tensor:
        weight = self.model.weights[layer]
        return self._by_rows(
            lambda part: self.model.finish(layer, self._sum(layer, h, part) @ weight)
        )

    def _sum(self, layer: int, h: Tensor | FloatArray, part: slice) -> Float[Tensor, "1 k d"]:
        """The aggregate of the neighbours of some consecutive nodes."""
        wanted = self.operand.operator[part]
        read, columns = np.unique(wanted.indices, return_inverse=True)
        shape = (wanted.shape[0], len(read))
        block = sp.csr_array((wanted.data, columns, wanted.indptr), shape=shape)
        own = np.searchsorted(read, np.arange(part.start, part.stop))
        rows = torch.from_numpy(h[read]) if isinstance(h, np.ndarray) else h[torch.from_numpy(read)]
        sources = rows.to(self.device).unsqueeze(0)
        on_device = self.model.block([block], [own], self.device)
        summed: Tensor = self.model.aggregate(layer, sources, on_device)
        return summed

    def _by_rows(self, step: Callable[[slice], Float[Tensor, "1 k h"]]) -> Tensor:
        n = self.operand.graph.num_nodes
        first = step(slice(0, min(self.rows, n)))[0]
        out = torch.empty(n, first.shape[1])
        out[: len(first)] = first
        for start in range(self.rows, n, self.rows):
            part = slice(start, min(start + self.rows, n))
            out[part] = step(part)[0]
        return out
