"""Files of ``dgl.save_graphs``, which DGL itself reads."""

from __future__ import annotations

from pathlib import Path

from gkd_runner.common.dgl_library import import_dgl
from gkd_runner.common.errors import DataError, on_one_line
from gkd_runner.data.importing.assemble import assemble
from gkd_runner.data.importing.objects import from_dgl
from gkd_runner.data.importing.raw import Imported

_MAGIC = (0xDD2E4FF046B4A13F).to_bytes(8, "little")  # kDGLSerializeMagic, graph_serialize.h


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
