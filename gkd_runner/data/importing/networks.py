"""NetworkX graphs, recognised by their attributes, as tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gkd_runner.common.errors import DataError
from gkd_runner.data.importing.columns import Columns
from gkd_runner.data.importing.from_tables import Tables

ID = "node_id"
ENDS = ("source", "target")


def is_networkx(source: Any) -> bool:
    """True for a ``networkx`` graph of any kind."""
    return all(hasattr(source, name) for name in ("nodes", "edges", "is_directed", "is_multigraph"))


def tables_of(graph: Any, columns: Columns) -> Tables:
    """The nodes with their attributes and the edges with theirs, as tables.

    An attribute with a number is a feature, as is each value of a list of numbers (``x=[...]``).
    The label is an attribute like ``label`` or ``y``, or the one that ``columns`` names.

    Raises:
        DataError: for an empty graph, and for ids that are one text, such as 1 and "1".
    """
    names = [str(node) for node in graph.nodes]
    if not names or not graph.number_of_edges():
        raise DataError(f"the NetworkX graph has {len(names)} nodes and no edge")
    if len(set(names)) < len(names):
        raise DataError(
            'the NetworkX graph has nodes that only their type tells apart, as 1 and "1"'
        )
    nodes = pd.DataFrame([dict(values) for _, values in graph.nodes(data=True)])
    nodes[ID] = names
    edges = pd.DataFrame([values for *_, values in graph.edges(data=True)])
    ends = [(str(first), str(second)) for first, second, *_ in graph.edges]
    edges[list(ENDS)] = ends
    return Tables(edges, nodes, None, Columns(ID, columns.label, ENDS))
