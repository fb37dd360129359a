"""DGL under a current torch, as the oracle of tests and benchmark: the one place that imports it.

DGL 2.1.0 (the newest on PyPI) fails to import beside a current torch and setuptools, three
times over: it wants ``setuptools.extern.packaging`` (gone; the ``packaging`` distribution is
the same thing), and its ``dgl.graphbolt`` wants ``torchdata.datapipes`` (gone) and a shared
library per torch version (not shipped). Nothing here uses graphbolt, so an empty module takes
its place before the import. DGL 1.1.3 needs the first alias alone.
"""

from __future__ import annotations

import os
import sys
import types
import warnings
from functools import cache
from typing import Any

from torch import Tensor

from gkd_runner.graph.batch import GraphBatch


@cache
def import_dgl() -> Any:
    """The ``dgl`` module. Raises ``ImportError`` where the installed DGL cannot be made to work."""
    _alias_setuptools_extern()
    sys.modules.setdefault("dgl.graphbolt", types.ModuleType("dgl.graphbolt"))
    os.environ.setdefault("DGLBACKEND", "pytorch")  # else DGL writes ~/.dgl/config.json
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside DGL that its users cannot mend
        import dgl
        import dgl.ops
    return dgl


class DglKernels:
    """DGL's ``gspmm`` and ``gsddmm`` with the signatures of ``gkd_runner.graph.kernels``."""

    def __init__(self, graph: GraphBatch) -> None:
        self._ops = import_dgl().ops
        csc = (graph.offsets, graph.senders, graph.senders.new_empty(0))
        self._graph = import_dgl().graph(("csc", csc))

    def spmm(self, _: GraphBatch, values: Tensor, x: Tensor) -> Tensor:
        """Weighted sums of neighbours."""
        out: Tensor = self._ops.u_mul_e_sum(self._graph, x, values.unsqueeze(-1))
        return out

    def sddmm(self, _: GraphBatch, receiver: Tensor, sender: Tensor) -> Tensor:
        """Dot products along edges."""
        out: Tensor = self._ops.u_dot_v(self._graph, sender, receiver)
        return out.squeeze(-1)


def _alias_setuptools_extern() -> None:
    if "setuptools.extern" in sys.modules:
        return
    import packaging
    import packaging.version

    extern = types.ModuleType("setuptools.extern")
    extern.packaging = packaging  # type: ignore[attr-defined]
    sys.modules["setuptools.extern"] = extern
    sys.modules["setuptools.extern.packaging"] = packaging
