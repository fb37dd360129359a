"""DGL under a current torch: the one place that imports it, for its files and as a tests' oracle.

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
from pathlib import Path
from typing import Any

from gkd_runner.common.errors import DataError, on_one_line
from gkd_runner.data.importing.assemble import assemble
from gkd_runner.data.importing.objects import from_dgl
from gkd_runner.data.importing.raw import Imported

_MAGIC = (0xDD2E4FF046B4A13F).to_bytes(8, "little")  # kDGLSerializeMagic, graph_serialize.h


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


def is_dgl_file(path: Path) -> bool:
    """True if ``dgl.save_graphs`` wrote the file."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def import_dgl_file(path: Path, name: str) -> Imported:
    """The one graph in a file of ``dgl.save_graphs``, under ``name``.

    Raises:
        DataError: if DGL is not installed, and for a damaged file or one with several graphs.
    """
    try:
        dgl = import_dgl()
    except (ImportError, OSError) as error:
        raise DataError(
            f"{path}: DGL reads its own files, but it cannot be imported ({on_one_line(str(error))}"
            "): pip install dgl; or, where DGL works, save_npz(load_graph(graph), 'graph.npz')"
        ) from error
    try:
        graphs, _ = dgl.load_graphs(str(path))
    except Exception as error:  # DGL raises its own error for a damaged file
        raise DataError(f"{path}: DGL cannot read it: {on_one_line(str(error))}") from error
    if len(graphs) != 1:
        raise DataError(f"{path}: holds {len(graphs)} graphs; save a single one in a file")
    return assemble(from_dgl(graphs[0], str(path)), name)


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
