"""CSR matrices of torch, built without copies or checks."""

from __future__ import annotations

import warnings

from gkd_runner.common.lazy import torch

warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")


def csr_matrix(
    offsets: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """A CSR tensor that shares these buffers."""
    return torch.sparse_csr_tensor(offsets, columns, values, size=size, check_invariants=False)
