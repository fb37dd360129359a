"""Kinds of files by their names, and what to do with those that gkd-runner does not read."""

from __future__ import annotations

from pathlib import Path

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".tab", ".edges", ".edgelist", ".cites", ".content")
PARQUET_SUFFIXES = (".parquet", ".pq")
PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle")

_LOAD = "from gkd_runner import load_graph"
_IN_PYTHON = {
    ".graphml": "load_graph(networkx.read_graphml({path!r}))",
    ".gml": "load_graph(networkx.read_gml({path!r}))",
    ".gexf": "load_graph(networkx.read_gexf({path!r}))",
    ".mat": "load_graph(...) with a mapping of the arrays that scipy.io.loadmat({path!r}) gives",
}


def suffix_of(path: Path) -> str:
    """The ending of a file's name in lower case, without that of gzip."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def is_table(path: Path) -> bool:
    """True if the name of the file says that it is a table."""
    return suffix_of(path) in (*TEXT_SUFFIXES, *PARQUET_SUFFIXES)


def hint(path: Path) -> str:
    """Advice on a file that is no graph file; empty if there is none."""
    if is_table(path):
        return f"is a table; gkd-import {path} --nodes nodes.csv makes a graph file of it"
    if suffix_of(path) in (".xlsx", ".xls", ".ods"):
        return "is a spreadsheet; save its sheets as CSV and use gkd-import"
    if call := _IN_PYTHON.get(suffix_of(path)):
        return f"is read in Python: {_LOAD}; {call.format(path=str(path))}"
    return ""
