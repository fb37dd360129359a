"""Features of a node pooled over its neighbourhoods of growing radius, computed once beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from gkd_runner.common.lazy import sp
from gkd_runner.data.graph import FloatArray
from gkd_runner.graph.features import Features
from gkd_runner.graph.operators import symmetric


@dataclass(frozen=True)
class Propagation:
    """``pool(X, S X, ..., S^hops X)`` with ``S`` the normalised ``A + self_loops * I``.

    ``pooling`` is ``mean``, ``max`` or ``min``, value by value.
    """

    hops: int
    self_loops: float
    pooling: str

    def features(self, adjacency: sp.csr_array, features: sp.csr_array | FloatArray) -> Features:
        """The propagated ``[n, d]`` features of all nodes; the mean stays factored."""
        operator = symmetric(adjacency, self.self_loops)
        if self.pooling == "mean":
            share = 1.0 / (self.hops + 1)
            return Features(features, operator, (share,) * (self.hops + 1))
        stages = [Features(features).dense()]
        for _ in range(self.hops):
            stages.append(operator @ stages[-1])
        return Features(reduce(np.maximum if self.pooling == "max" else np.minimum, stages))
