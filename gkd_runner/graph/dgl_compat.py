"""DGL under a current torch: the one place that imports it.

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


@cache
def serves(device_type: str) -> bool:
    """Whether the installed DGL has kernels for tensors on ``device_type``."""
    try:
        dgl = import_dgl()
    except ImportError:
        return False
    if device_type == "cpu":
        return True
    try:
        dgl.graph(([0], [0])).to(device_type)
    except Exception:  # DGLError, RuntimeError or AttributeError, by DGL version
        return False
    return True


def _alias_setuptools_extern() -> None:
    if "setuptools.extern" in sys.modules:
        return
    import packaging
    import packaging.version

    extern = types.ModuleType("setuptools.extern")
    extern.packaging = packaging  # type: ignore[attr-defined]
    sys.modules["setuptools.extern"] = extern
    sys.modules["setuptools.extern.packaging"] = packaging
