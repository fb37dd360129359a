"""The forms that a first layer can have: dense, sparse, and sparse before propagation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from bench.clock import now, since
from bench.plain.propagate import csr
from gkd_runner.data.graph import FloatArray

ROWS_PER_BLOCK = 1024
"""Rows of a sparse gradient at once on a CPU, so that they stay in its cache."""

DENSE_BYTES = 4 * 2**30
"""Largest dense form that is tried."""

HOPELESS = 100
"""A dense form with more values per stored one is not tried: it loses by far and takes minutes."""


class Form(Protocol):
    """``X W`` and its gradient ``X^T G``, both into buffers."""

    name: str
    shape: tuple[int, int]

    def forward(self, weight: Tensor, out: Tensor) -> None:
        """``out = X W``."""

    def gradient(self, grad: Tensor, out: Tensor) -> None:
        """``out = X^T G``."""


class Dense:
    """Every value is stored."""

    name = "dense"

    def __init__(self, x: FloatArray, device: torch.device) -> None:
        self.shape = x.shape[0], x.shape[1]
        self._x = torch.from_numpy(np.asarray(x, dtype=np.float32)).to(device)

    def forward(self, weight: Tensor, out: Tensor) -> None:
        torch.mm(self._x, weight, out=out)

    def gradient(self, grad: Tensor, out: Tensor) -> None:
        torch.mm(self._x.T, grad, out=out)


class Sparse:
    """Only values other than zero are stored; gradients are summed block by block."""

    name = "sparse"

    def __init__(
        self, x: sp.csr_array, device: torch.device, rows_per_block: int | None = None
    ) -> None:
        self.shape = rows, _ = x.shape
        step = rows_per_block or (max(rows, 1) if device.type == "cuda" else ROWS_PER_BLOCK)
        self._rows = csr(x, device)
        self._blocks = [
            (start, min(start + step, rows), csr(sp.csr_array(x[start : start + step].T), device))
            for start in range(0, rows, step)
        ]

    def forward(self, weight: Tensor, out: Tensor) -> None:
        torch.addmm(out, self._rows, weight, beta=0, out=out)

    def gradient(self, grad: Tensor, out: Tensor) -> None:
        out.zero_()
        for start, stop, block in self._blocks:
            torch.addmm(out, block, grad[start:stop], out=out)


class Factored:
    """Raw features, and the product is propagated: ``mean_k A^k (X W)`` by Horner's rule.

    ``A`` is symmetric, so the gradient is propagated in the same way.
    """

    name = "factored"

    def __init__(self, base: Form, matrix: sp.csr_array, hops: int, device: torch.device) -> None:
        self._base, self._hops, self.shape = base, hops, base.shape
        self._matrix = csr(matrix, device)
        self._share = 1.0 / (hops + 1)

    def forward(self, weight: Tensor, out: Tensor) -> None:
        self._base.forward(weight, out)
        self._pool(out)

    def gradient(self, grad: Tensor, out: Tensor) -> None:
        pooled = grad.clone()
        self._pool(pooled)
        self._base.gradient(pooled, out)

    def _pool(self, x: Tensor) -> None:
        """``x = share * (x + A (x + A (x + ...)))``."""
        total = x.clone()
        for _ in range(self._hops):
            total = torch.addmm(x, self._matrix, total)
        torch.mul(total, self._share, out=x)


def raw_forms(x: sp.csr_array | FloatArray, device: torch.device) -> list[Form]:
    """The dense and the sparse form of a matrix, where they may be the fastest."""
    forms: list[Form] = []
    values = x.shape[0] * x.shape[1]
    stored = int(x.nnz) if sp.issparse(x) else int(np.count_nonzero(x))
    if 2 * stored < values:
        forms.append(Sparse(sp.csr_array(x), device))
    if not forms or (4 * values <= DENSE_BYTES and values < HOPELESS * max(stored, 1)):
        forms.append(Dense(x.toarray() if sp.issparse(x) else x, device))
    return forms


class FirstLayer:
    """One epoch's use of a form, as a function without arguments."""

    def __init__(self, form: Form, width: int, trains: bool, device: torch.device) -> None:
        rows, features = form.shape
        self.form = form
        self._weight = torch.randn(features, width, device=device)
        self._out = torch.empty(rows, width, device=device)
        self._grad = torch.randn(rows, width, device=device) if trains else None
        self._gradient = torch.empty(features, width, device=device) if trains else None

    def __call__(self) -> None:
        self.form.forward(self._weight, self._out)
        if self._grad is not None and self._gradient is not None:
            self.form.gradient(self._grad, self._gradient)

    def seconds(self, device: torch.device) -> float:
        """The shorter of two runs after a first: CPU seconds, or wall seconds on a GPU."""
        self()
        readings = [now(device)]
        for _ in range(2):
            self()
            readings.append(now(device))
        clock = "wall" if device.type == "cuda" else "cpu"
        return min(getattr(since(a, b), clock) for a, b in pairwise(readings))


def fastest(forms: Sequence[Form], width: int, trains: bool, device: torch.device) -> FirstLayer:
    """The form that takes the least time."""
    if len(forms) == 1:
        return FirstLayer(forms[0], width, trains, device)
    timed = []
    for form in forms:
        layer = FirstLayer(form, width, trains, device)
        timed.append((layer.seconds(device), form))
        del layer  # its buffers may be large
    _, best = min(timed, key=lambda entry: entry[0])
    return FirstLayer(best, width, trains, device)
