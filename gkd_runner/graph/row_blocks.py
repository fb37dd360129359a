"""The rows of a large matrix, in dense blocks on the device that multiplies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gkd_runner.common.lazy import sp, torch


@dataclass(frozen=True, eq=False)
class DenseRows:
    """Rows that are all in memory, ``[n, d]`` float32."""

    matrix: torch.Tensor

    def __len__(self) -> int:
        return len(self.matrix)

    def blocks(self, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Blocks of ``size`` rows with the number of their first row; the last may be smaller."""
        for start in range(0, len(self), size):
            yield start, self.matrix[start : start + size]

    def take(self, ids: torch.Tensor) -> torch.Tensor:
        """The rows ``ids`` ``[k]``."""
        return self.matrix[ids.to(self.matrix.device)]


@dataclass(frozen=True, eq=False)
class SparseRows:
    """``count`` rows that are kept or computed as CSR and become dense a block at a time.

    ``fetch`` gives the rows of a slice or of an array of ids.
    """

    fetch: Callable[[Any], sp.csr_array]
    count: int
    device: torch.device

    def __len__(self) -> int:
        return self.count

    def blocks(self, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Blocks of ``size`` rows with the number of their first row; the last may be smaller."""
        for start in range(0, self.count, size):
            yield start, self._dense(slice(start, start + size))

    def take(self, ids: torch.Tensor) -> torch.Tensor:
        """The rows ``ids`` ``[k]``."""
        return self._dense(ids.cpu().numpy())

    def _dense(self, which: Any) -> torch.Tensor:
        rows = self.fetch(which).toarray().astype(np.float32, copy=False)
        return torch.from_numpy(rows).to(self.device)


Rows = DenseRows | SparseRows
