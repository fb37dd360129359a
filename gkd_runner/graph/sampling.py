"""Neighbourhoods with a limited number of neighbours for each node, drawn by DGL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from gkd_runner.common.dgl_library import import_dgl
from gkd_runner.common.errors import ConfigError, on_one_line
from gkd_runner.common.lazy import sp, torch
from gkd_runner.data.graph import IntArray
from gkd_runner.graph.field import Field


@dataclass(frozen=True, eq=False)
class NeighbourSampler:
    """Draws fields of one graph: layer ``k`` (from 1) reads ``fan_outs[k - 1]`` neighbours at most.

    The last number is that of the layer nearest to the nodes that are answered for, as in
    ``dgl.dataloading.NeighborSampler``. Where ``k`` of a node's ``d`` neighbours are drawn, each
    weighs ``d / k`` times, so that the expected sum is that of all of them. Its self-loop is
    always read. ``operator`` is ``[n, n]``, of the pattern of ``adjacency`` with self-loops.

    Raises:
        ConfigError: if DGL cannot be imported.
    """

    adjacency: sp.csr_array
    operator: sp.csr_array
    fan_outs: Sequence[int]
    _dgl: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_dgl", _imported(self.fan_outs))

    def draw(self, nodes: IntArray, draws: np.random.Generator) -> Field:
        """The field of ``nodes``, by one number of ``draws``."""
        rows, blocks = [np.asarray(nodes)], []
        with _one_thread():
            self._dgl.seed(int(draws.integers(2**31)))
            for fan_out in reversed(self.fan_outs):
                sources, block = self._layer(rows[-1], fan_out)
                rows.append(sources)
                blocks.append(block)
        own = tuple(np.arange(len(targets)) for targets in reversed(rows[:-1]))
        return Field(tuple(reversed(rows)), tuple(reversed(blocks)), own)

    def _layer(self, targets: IntArray, fan_out: int) -> tuple[IntArray, sp.csr_array]:
        """The nodes that the targets read, the targets first, and the operator between them."""
        dgl, ids = self._dgl, torch.from_numpy(targets.astype(self.adjacency.indices.dtype))
        drawn = dgl.sampling.sample_neighbors(self._graph, ids, fan_out)
        block = dgl.to_block(drawn, ids)
        edges = drawn.edata[dgl.EID][block.edata[dgl.EID].long()].numpy()
        senders, receivers = (ends.numpy() for ends in block.edges())
        sources = block.srcdata[dgl.NID].numpy().astype(np.int64)
        receiver = targets[receivers]
        # the operator's row of a node has one more value, its self-loop, among sorted columns
        position = edges.astype(np.int64) + receiver + (sources[senders] > receiver)
        counts = np.bincount(receivers, minlength=len(targets))
        scale = np.diff(self.adjacency.indptr)[targets] / np.maximum(counts, 1)
        own = np.arange(len(targets))
        values = (
            self.operator.data[position] * scale[receivers].astype(np.float32),
            self._diagonal[targets],
        )
        ends = (np.concatenate([receivers, own]), np.concatenate([senders, own]))
        matrix = sp.coo_array((np.concatenate(values), ends), shape=(len(targets), len(sources)))
        return sources, matrix.tocsr()

    @cached_property
    def _graph(self) -> Any:
        """DGL's graph, on the same memory: rows of a symmetric adjacency are columns."""
        offsets, senders = (
            torch.from_numpy(index) for index in (self.adjacency.indptr, self.adjacency.indices)
        )
        csc = (offsets, senders, senders.new_empty(0))
        return self._dgl.graph(("csc", csc), num_nodes=self.adjacency.shape[0])

    @cached_property
    def _diagonal(self) -> Any:
        return self.operator.diagonal()


@contextmanager
def _one_thread() -> Iterator[None]:
    """DGL's threads draw from streams of their own, so that draws depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _imported(fan_outs: Sequence[int]) -> Any:
    try:
        return import_dgl()
    except (ImportError, OSError) as error:
        raise ConfigError(
            [
                f"training.fan_outs={list(fan_outs)} draws neighbours with DGL, which cannot be"
                f" imported ({on_one_line(str(error))}): pip install dgl on a Python that it has a"
                " wheel for, read all neighbours with training.fan_outs=null, or give a teacher's"
                " logits with teacher=precomputed"
            ]
        ) from error
