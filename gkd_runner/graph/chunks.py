"""The edges of a batch in chunks, so that values of edges need little memory beside the graph.

A chunk has all edges into some consecutive nodes. Sums over the edges of a node therefore stay
within one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gkd_runner.common.lazy import torch
from gkd_runner.graph.batch import GraphBatch

CHUNK_BYTES = {"cpu": 2**20, "cuda": 2**28}
"""Largest float32 tensor ``[edges of a chunk, columns]``, in bytes, by type of device.

On a CPU the few tensors of a chunk then stay in the 2 MiB of cache that a core has: mixing soft
labels of 5 to 40 classes took 1.4 to 2.3 times as long with 16 MiB (one core of an Intel Xeon). A
GPU pays for each operation of each chunk, and has memory: 256 MiB.
"""


@dataclass(frozen=True, eq=False)
class EdgeChunk:
    """The edges into consecutive nodes.

    ``nodes`` and ``edges`` are their ranges in the batch. Senders and receivers are nodes of the
    batch, ``offsets`` and ``loops`` (the positions of the self-loops) count from the first edge of
    the chunk.
    """

    nodes: slice
    edges: slice
    senders: Int[torch.Tensor, " e"]
    receivers: Int[torch.Tensor, " e"]
    offsets: Int[torch.Tensor, " k_plus_1"]
    loops: Int[torch.Tensor, " k"]

    def sums(self, values: Float[torch.Tensor, " e"]) -> Float[torch.Tensor, " k"]:
        """Sum over the edges into each node."""
        return torch.segment_reduce(values, "sum", offsets=self.offsets, unsafe=True)


def edge_chunks(graph: GraphBatch, columns: int = 1) -> list[EdgeChunk]:
    """Cut the edges into chunks for tensors of ``columns`` float32 values per edge.

    A chunk stays within ``CHUNK_BYTES``, unless a single node has more edges.
    """
    limit = max(1, CHUNK_BYTES[graph.device.type] // (4 * columns))
    ends = graph.offsets.cpu().numpy()
    chunks, start = [], 0
    while start < len(ends) - 1:
        within = int(np.searchsorted(ends, ends[start] + limit, side="right")) - 1
        stop = max(within, start + 1)
        chunks.append(_chunk(graph, slice(start, stop), slice(int(ends[start]), int(ends[stop]))))
        start = stop
    return chunks


def _chunk(graph: GraphBatch, nodes: slice, edges: slice) -> EdgeChunk:
    return EdgeChunk(
        nodes,
        edges,
        graph.compact[1][edges],
        graph.receivers[edges],
        graph.offsets[nodes.start : nodes.stop + 1] - edges.start,
        graph.loops[nodes] - edges.start,
    )


def per_edge(
    chunks: Sequence[EdgeChunk], compute: Callable[[EdgeChunk], Float[torch.Tensor, " e"]]
) -> Float[torch.Tensor, " E"]:
    """The values of all edges, computed chunk by chunk."""
    first = compute(chunks[0])
    if len(chunks) == 1:
        return first
    values = first.new_empty(chunks[-1].edges.stop)
    values[chunks[0].edges] = first
    for chunk in chunks[1:]:
        values[chunk.edges] = compute(chunk)
    return values
