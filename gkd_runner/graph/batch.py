"""The edges of all replicas side by side, as one block-diagonal structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from gkd_runner.common.lazy import sp, torch
from gkd_runner.data.graph import IntArray
from gkd_runner.graph.operators import stack, with_self_loops


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """The edges from ``sources`` nodes to ``nodes`` nodes in each of ``R`` graphs.

    The graphs that methods see are whole: undirected, both ends among the same nodes, with one
    self-loop per node. Blocks of a receptive field have fewer nodes than sources, and ``own`` has
    the position of each node among the sources; in whole graphs it is ``None``.

    Nodes are numbered flat, replica after replica (``N = R * nodes``), and so are sources. Edges
    are sorted by the node that receives them: edge ``e`` goes from ``senders[e]`` to
    ``receivers[e]``, and ``offsets[i]:offsets[i + 1]`` are the edges into node ``i``.
    """

    replicas: int
    nodes: int
    sources: int
    offsets: Int[torch.Tensor, " N_plus_1"]
    senders: Int[torch.Tensor, " E"]
    receivers: Int[torch.Tensor, " E"]
    own: Int[torch.Tensor, " N"] | None = None

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
        return (self.senders == self.receivers_as_sources).nonzero().squeeze(1)

    @cached_property
    def receivers_as_sources(self) -> Int[torch.Tensor, " E"]:
        """For each edge the position of its receiver among the sources."""
        return self.receivers if self.own is None else self.own[self.receivers]

    @cached_property
    def by_sender(self) -> Int[torch.Tensor, " E"]:
        """The edges in the order of their senders; indexing with it transposes edge values."""
        return torch.argsort(self.senders, stable=True)

    @cached_property
    def compact(self) -> tuple[torch.Tensor, torch.Tensor]:
        """``offsets`` and ``senders`` as int32 where they fit, for faster sparse kernels."""
        return self._compact(self.offsets), self._compact(self.senders)

    @cached_property
    def compact_transposed(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Offsets of the edges out of each source, and their receivers, in the same types."""
        counts = torch.bincount(self.senders, minlength=self.replicas * self.sources)
        offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
        return self._compact(offsets), self._compact(self.receivers[self.by_sender])

    def _compact(self, index: torch.Tensor) -> torch.Tensor:
        largest = max(self.num_edges, self.replicas * max(self.nodes, self.sources))
        return index.to(torch.int32 if largest < 2**31 else torch.int64)

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
    return batch_blocks([with_self_loops(adjacency) for adjacency in adjacencies], None, device)


def batch_blocks(
    blocks: Sequence[sp.csr_array], own: Sequence[IntArray] | None, device: torch.device
) -> GraphBatch:
    """Stack ``[nodes, sources]`` blocks, padded to the largest, and the nodes' own positions."""
    stacked = stack(blocks)
    replicas = len(blocks)
    nodes, sources = (size // replicas for size in stacked.shape)
    offsets = torch.from_numpy(stacked.indptr.astype(np.int64))
    senders = torch.from_numpy(stacked.indices.astype(np.int64))
    receivers = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())
    flat = None
    if own is not None:
        filled = [np.pad(ids, (0, nodes - len(ids))) + r * sources for r, ids in enumerate(own)]
        flat = torch.from_numpy(np.concatenate(filled)).to(device)
    return GraphBatch(
        replicas,
        nodes,
        sources,
        offsets.to(device),
        senders.to(device),
        receivers.to(device),
        flat,
    )
