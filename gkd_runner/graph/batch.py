"""The graphs of all replicas side by side, as one block-diagonal structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from gkd_runner.common.lazy import sp, torch
from gkd_runner.graph.operators import with_self_loops


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """``R`` undirected graphs of ``n`` nodes each, with one self-loop per node.

    Nodes are numbered flat, replica after replica (``N = R * n``). Edges are sorted by the node
    that receives them: edge ``e`` goes from ``senders[e]`` to ``receivers[e]``, and
    ``offsets[i]:offsets[i + 1]`` are the edges into node ``i``.
    """

    replicas: int
    nodes: int
    offsets: Int[torch.Tensor, " N_plus_1"]
    senders: Int[torch.Tensor, " E"]
    receivers: Int[torch.Tensor, " E"]

    @property
    def device(self) -> torch.device:
        return self.senders.device

    @property
    def num_edges(self) -> int:
        """Number of edges of all replicas together, self-loops included."""
        return int(self.senders.shape[0])

    @cached_property
    def degrees(self) -> Float[torch.Tensor, " N"]:
        """Edges into each node, its self-loop included."""
        return self.offsets.diff().float()

    @cached_property
    def loops(self) -> Int[torch.Tensor, " N"]:
        """The position of each node's self-loop among the edges."""
        return (self.senders == self.receivers).nonzero().squeeze(1)

    @cached_property
    def reverse(self) -> Int[torch.Tensor, " E"]:
        """For each edge (i, j) the position of edge (j, i); indexing with it transposes values."""
        return torch.argsort(self.senders, stable=True)

    @cached_property
    def compact(self) -> tuple[torch.Tensor, torch.Tensor]:
        """``offsets`` and ``senders`` as int32 where they fit, for faster sparse kernels."""
        fits = max(self.num_edges, len(self.offsets)) < 2**31
        dtype = torch.int32 if fits else torch.int64
        return self.offsets.to(dtype), self.senders.to(dtype)

    @cached_property
    def edge_counts(self) -> tuple[int, ...]:
        """Edges of each replica."""
        bounds = self.offsets[:: self.nodes].tolist()
        return tuple(end - start for start, end in pairwise(bounds))


def batch_graphs(adjacencies: Sequence[sp.csr_array], device: torch.device) -> GraphBatch:
    """Stack ``[n, n]`` adjacencies (symmetric, without self-loops) and add the self-loops."""
    sizes = {adjacency.shape[0] for adjacency in adjacencies}
    if len(sizes) != 1:
        raise ValueError(f"replicas must have equally many nodes, got {sorted(sizes)}")
    (nodes,) = sizes
    looped = [with_self_loops(adjacency) for adjacency in adjacencies]
    stacked = looped[0] if len(looped) == 1 else sp.block_diag(looped, format="csr")
    stacked.sort_indices()
    offsets = torch.from_numpy(stacked.indptr.astype(np.int64))
    senders = torch.from_numpy(stacked.indices.astype(np.int64))
    receivers = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())
    return GraphBatch(
        len(looped), nodes, offsets.to(device), senders.to(device), receivers.to(device)
    )
