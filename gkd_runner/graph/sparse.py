"""CSR matrices of torch, built without copies or checks."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor


def csr_matrix(offsets: Tensor, columns: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    """A CSR tensor that shares these buffers."""
    return torch.sparse_csr_tensor(offsets, columns, values, size=size, check_invariants=False)


def _announce_once() -> None:
    """Trigger torch's once-per-process warning about CSR tensors here, where it is silenced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        csr_matrix(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), (1, 1))


_announce_once()
