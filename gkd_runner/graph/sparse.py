"""CSR matrices of torch, built without copies or checks, and their product with dense ones."""

from __future__ import annotations

import warnings

from jaxtyping import Float

from gkd_runner.common.lazy import torch

warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")


def csr_matrix(
    offsets: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """A CSR tensor that shares these buffers."""
    return torch.sparse_csr_tensor(offsets, columns, values, size=size, check_invariants=False)


def product(
    matrix: torch.Tensor, x: Float[torch.Tensor, "M D"], out: torch.Tensor | None = None
) -> Float[torch.Tensor, "N D"]:
    """``matrix @ x`` without autograd; ``@`` would fill the result with zeros and copy it."""
    if out is None:
        out = x.new_empty(matrix.shape[0], x.shape[1])
    return torch.addmm(out, matrix, x, beta=0, out=out)
