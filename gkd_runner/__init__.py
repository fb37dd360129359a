"""gkd-runner: distil graph neural networks into MLPs, and compare the methods honestly.

The names below are the stable Python interface. They are imported when first used, because some
need torch and others, such as those of ``gkd_runner.predict``, run without it.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gkd_runner.common.version import __version__

if TYPE_CHECKING:
    from gkd_runner.api.compare import compare_methods
    from gkd_runner.api.result import Result
    from gkd_runner.api.student import load_student
    from gkd_runner.api.train import train
    from gkd_runner.config.build import compose
    from gkd_runner.data.graph import GraphData
    from gkd_runner.data.importing.load import load_graph

__all__ = [
    "GraphData",
    "Result",
    "__version__",
    "compare_methods",
    "compose",
    "load_graph",
    "load_student",
    "train",
]

_HOMES = {
    "GraphData": "gkd_runner.data.graph",
    "Result": "gkd_runner.api.result",
    "compare_methods": "gkd_runner.api.compare",
    "compose": "gkd_runner.config.build",
    "load_graph": "gkd_runner.data.importing.load",
    "load_student": "gkd_runner.api.student",
    "train": "gkd_runner.api.train",
}


# Torch reads it at its first allocation. Large tensors in huge pages cost fewer page faults, and
# fit into memory that others left (Coauthor Physics, GCN and InfGraND: 2.9 s per epoch of the
# student instead of 4.2, and 2.1 GB instead of 2.8).
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
