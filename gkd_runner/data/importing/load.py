"""Any graph that a person may have, as ``GraphData``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import GraphData
from gkd_runner.data.importing.arrays import from_arrays
from gkd_runner.data.importing.assemble import assemble
from gkd_runner.data.importing.columns import Columns
from gkd_runner.data.importing.dgl_files import import_dgl_file, is_dgl_file
from gkd_runner.data.importing.from_tables import Table, Tables, from_tables
from gkd_runner.data.importing.kinds import is_table
from gkd_runner.data.importing.networks import is_networkx, tables_of
from gkd_runner.data.importing.objects import from_dgl, from_pyg, is_dgl, is_pyg, to_array
from gkd_runner.data.importing.raw import Imported, RawGraph
from gkd_runner.data.importing.wording import log_findings
from gkd_runner.data.npz import import_npz

GENERIC = ("edges", "edge", "edge_list", "edgelist", "links", "graph", "data")
"""Names of files that say nothing about the graph."""

TableLike: TypeAlias = str | Path | pd.DataFrame

NAME = "graph"
"""The name of a graph from memory that is given none."""


def load_graph(
    source: Any,
    *,
    name: str | None = None,
    nodes: TableLike | None = None,
    features: Any = None,
    labels: Any = None,
    id_column: str | None = None,
    label_column: str | None = None,
    edge_columns: tuple[str, str] | None = None,
) -> GraphData:
    """Read a graph from a file or take it from memory, and bring it into canonical form.

    Edges become undirected, without repetitions, self-loops and weights. Labels of any kind
    become classes 0 to C - 1 with names. What was dropped, mended or ignored is logged as
    warnings. The same graph from any source has the same ``fingerprint``.

    >>> load_graph("mine.npz")  # gkd-runner's layout, or that of the heterophily suite
    >>> load_graph("edges.csv", nodes="nodes.csv", features="features.csv")
    >>> load_graph(networkx_graph, label_column="club")
    >>> load_graph(adjacency, features=X, labels=y)  # SciPy or NumPy
    >>> load_graph(data)  # PyTorch Geometric's Data, or a DGLGraph

    Args:
        source: an ``.npz`` file, a file of ``dgl.save_graphs`` or a list of edges (CSV, TSV,
            Parquet); or a frame with edges, a NetworkX graph, a ``Data`` object of PyTorch
            Geometric, a ``DGLGraph``, an adjacency ``[n, n]`` (SciPy or NumPy), ``edge_index``
            ``[2, m]`` or edges ``[m, 2]``, or a mapping of such arrays by name: ``edges`` or
            ``adjacency``, ``features``, ``labels``, ``train_mask`` and so on.
        name: the graph's name in tables and folders; by default that of the file.
        nodes: for a list of edges, the table with a row per node: id, label, perhaps features.
        features: for a list of edges, a table of features (a column per feature, or rows of
            node, feature and value), ``{node: [feature ids]}`` as JSON, or a matrix with a row
            per row of ``nodes``; for an adjacency, a matrix ``[n, d]``.
        labels: for an adjacency or edges in memory, one label per node ``[n]``.
        id_column: the column of node ids, where its name does not tell.
        label_column: the column or NetworkX attribute of labels, where its name does not tell.
        edge_columns: the two columns of a list of edges, where their names do not tell.

    Raises:
        DataError: for a source that is missing, unclear or malformed, and for pickled objects,
            which are never loaded.
    """
    columns = Columns(id_column, label_column, edge_columns)
    imported = import_graph(source, name, nodes, features, labels, columns)
    log_findings(imported.findings, imported.graph.name)
    return imported.graph


def import_graph(
    source: Any,
    name: str | None = None,
    nodes: TableLike | None = None,
    features: Any = None,
    labels: Any = None,
    columns: Columns | None = None,
) -> Imported:
    """The graph of ``load_graph``, with the findings about its import."""
    source = Path(source).expanduser() if isinstance(source, str) else source
    called = name or (name_of(source) if isinstance(source, Path) else NAME)
    chosen = columns or Columns()
    if isinstance(source, pd.DataFrame) or (isinstance(source, Path) and is_table(source)):
        if labels is not None:
            raise DataError("labels of a list of edges are a column of the table: nodes=...")
        tables = Tables(source, _table(nodes), _features(features), chosen)
        return assemble(from_tables(tables), called)
    if nodes is not None:
        raise DataError(f"a table of nodes goes with a list of edges, not with {_kind(source)}")
    if isinstance(source, Path):
        _refuse_more(source, features, labels)
        if is_dgl_file(source):
            return import_dgl_file(source, called)
        return import_npz(source, called)
    return assemble(_from_memory(source, features, labels, chosen), called)


def name_of(path: Path) -> str:
    """A name for the graph in a file; for names like edges.csv that of the folder."""
    stem, folder = path.name.partition(".")[0], path.absolute().parent.name
    return folder if stem.lower() in GENERIC and folder else stem


def _from_memory(source: Any, features: Any, labels: Any, columns: Columns) -> RawGraph:
    given = {"features": to_array(features), "labels": to_array(labels)}
    extra = {key: array for key, array in given.items() if array is not None}
    if isinstance(source, Mapping):
        arrays = {key: to_array(value) for key, value in source.items()}
        return from_arrays({**arrays, **extra}, "the arrays")
    if sp.issparse(source) or isinstance(source, np.ndarray) or hasattr(source, "detach"):
        array = to_array(source)
        square = array.ndim == 2 and array.shape[0] == array.shape[1]
        role = "adjacency" if square else "edge_index"
        return from_arrays({role: array, **extra}, "the arrays")
    _refuse_more(source, features, labels)
    if is_dgl(source):
        return from_dgl(source)
    if is_networkx(source):
        return from_tables(tables_of(source, columns))
    if hasattr(source, "node_types") and hasattr(source, "edge_types"):
        raise DataError(
            f"{_kind(source)} has several types of nodes; to_homogeneous() makes it one of one type"
        )
    if is_pyg(source):
        return from_pyg(source)
    raise DataError(
        f"{_kind(source)} is no graph that gkd-runner knows: a file, a mapping of arrays, SciPy,"
        " NumPy, a pandas frame of edges, NetworkX, PyTorch Geometric's Data (dataset[0] of a"
        " dataset), DGL"
    )


def _table(table: TableLike | None) -> Table | None:
    return Path(table).expanduser() if isinstance(table, str) else table


def _features(features: Any) -> Any:
    if features is None or isinstance(features, str | Path | pd.DataFrame):
        return _table(features)
    return to_array(features)


def _refuse_more(source: Any, features: Any, labels: Any) -> None:
    for role, given in (("features", features), ("labels", labels)):
        if given is not None:
            raise DataError(f"{_kind(source)} brings its own {role}; leave out {role}=")


def _kind(source: Any) -> str:
    return str(source) if isinstance(source, Path) else f"a {type(source).__name__}"
