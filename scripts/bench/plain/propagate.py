"""Message passing on torch's CSR products in both directions, as DGL's kernels have it.

torch's own backward pass of a sparse product transposes the matrix anew each time.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor

warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")


def csr(matrix: sp.csr_array, device: torch.device) -> Tensor:
    """A SciPy matrix on the device."""
    matrix = sp.csr_array(matrix, dtype=np.float32, copy=True)  # sorted without the caller's
    matrix.sort_indices()
    parts = (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)
    tensors = (torch.from_numpy(part).to(device) for part in parts)
    return torch.sparse_csr_tensor(*tensors, size=matrix.shape, check_invariants=False)


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed @ grad.contiguous(), None, None


class Propagation:
    """``M x`` for a fixed matrix."""

    def __init__(self, matrix: sp.csr_array, device: torch.device) -> None:
        self._matrix = csr(matrix, device)
        self._transposed = csr(sp.csr_array(matrix.T), device)

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = _Propagate.apply(x, self._matrix, self._transposed)  # type: ignore[no-untyped-call]
        return out


class Edges:
    """All edges and one self-loop per node, by the node that receives: ``src[e] -> dst[e]``."""

    def __init__(self, adjacency: sp.csr_array, device: torch.device) -> None:
        nodes = adjacency.shape[0]
        looped = sp.csr_array(adjacency + sp.eye_array(nodes, dtype=np.float32, format="csr"))
        looped.sort_indices()
        self.nodes = nodes
        self.offsets = torch.from_numpy(looped.indptr.astype(np.int32)).to(device)
        self.columns = torch.from_numpy(looped.indices.astype(np.int32)).to(device)
        self.src = self.columns.long()
        receivers = np.repeat(np.arange(nodes), np.diff(looped.indptr))
        self.dst = torch.from_numpy(receivers).to(device)
        self.loops = self.src == self.dst
        self.reverse = torch.argsort(self.src, stable=True)

    def __len__(self) -> int:
        return len(self.src)

    def matrix(self, values: Tensor) -> Tensor:
        """``[n, n]`` with a value per edge."""
        size = (self.nodes, self.nodes)
        return torch.sparse_csr_tensor(
            self.offsets, self.columns, values.contiguous(), size=size, check_invariants=False
        )

    def softmax(self, scores: Tensor) -> Tensor:
        """Softmax of ``[E, H]`` over the edges into each node."""
        index = self.dst.unsqueeze(1).expand_as(scores)
        highest = scores.new_full((self.nodes, scores.shape[1]), -torch.inf)
        highest = highest.scatter_reduce(0, index, scores.detach(), "amax")
        weights = (scores - highest[self.dst]).exp()
        total = torch.zeros_like(highest).index_add(0, self.dst, weights)
        return weights / total[self.dst]


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, z: Tensor, edges: Edges) -> Tensor:
        ctx.save_for_backward(weights, z)
        ctx.edges = edges
        heads = range(z.shape[1])
        return torch.stack([edges.matrix(weights[:, h]) @ z[:, h].contiguous() for h in heads], 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        weights, z = ctx.saved_tensors
        edges: Edges = ctx.edges
        empty = edges.matrix(weights.new_zeros(len(edges)))
        of_weights, of_z = [], []
        for h in range(z.shape[1]):
            flow = grad[:, h].contiguous()
            dots = torch.sparse.sampled_addmm(empty, flow, z[:, h].T.contiguous(), beta=0.0)
            of_weights.append(dots.values())
            of_z.append(edges.matrix(weights[edges.reverse, h]) @ flow)
        return torch.stack(of_weights, 1), torch.stack(of_z, 1), None


def attend(weights: Tensor, z: Tensor, edges: Edges) -> Tensor:
    """``out[i, h] = sum over edges (j -> i) of weights[e, h] z[j, h]``."""
    out: Tensor = _Attend.apply(weights, z, edges)  # type: ignore[no-untyped-call]
    return out


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy of each row."""
    return -torch.xlogy(probabilities, probabilities).sum(1)


def kl_per_edge(logits: Tensor, target: Tensor, receivers: Tensor, tau: float) -> Tensor:
    """``KL(target_e || softmax(logits / tau) of the receiver)`` of each edge."""
    log_p = F.log_softmax(logits / tau, dim=1)[receivers]
    return F.kl_div(log_p, target, reduction="none").sum(1)
