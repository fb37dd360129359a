"""DGL under a current torch: the one place that imports it.

DGL samples neighbours for mini-batches, reads its own files, and is an oracle of tests. DGL 2.1.0
(the newest on PyPI) fails to import beside a current torch and setuptools, three times over: it
wants ``setuptools.extern.packaging`` (gone; the ``packaging`` distribution is the same thing), and
its ``dgl.graphbolt`` wants ``torchdata.datapipes`` (gone) and a shared library per torch version
(not shipped). Nothing here uses graphbolt, so an empty module takes its place before the import.
DGL 1.1.3 needs the first alias alone.
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


def _alias_setuptools_extern() -> None:
    if "setuptools.extern" in sys.modules:
        return
    try:
        import packaging
        import packaging.version
    except ImportError:  # DGL says itself what it lacks
        return

    extern = types.ModuleType("setuptools.extern")
    extern.packaging = packaging  # type: ignore[attr-defined]
    sys.modules["setuptools.extern"] = extern
    sys.modules["setuptools.extern.packaging"] = packaging
