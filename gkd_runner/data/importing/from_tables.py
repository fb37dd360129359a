"""A list of edges, a table of nodes and a table of features as one described graph."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.importing.columns import (
    NO_HEADER,
    Columns,
    are_known,
    find_ends,
    find_ids,
    find_label,
    find_long,
)
from gkd_runner.data.importing.feature_tables import (
    FeatureRows,
    long_features,
    sparse_features,
    unused_columns,
    wide_features,
)
from gkd_runner.data.importing.names import VALUES
from gkd_runner.data.importing.numbering import Numbering, check_distinct, ids_of, number_nodes
from gkd_runner.data.importing.raw import Array, Findings, RawGraph
from gkd_runner.data.importing.splits import PARTS, Splits, read_splits, split_arrays
from gkd_runner.data.importing.tables import Sheet, read_json_features, read_sheet

Table: TypeAlias = pd.DataFrame | Path

SPLIT_NAME = re.compile(r"split(_\d+)?")
"""A column that names the part of each node: train, val (valid, validation) or test."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of a graph, as files or frames; ``features`` may also be a matrix ``[k, d]``."""

    edges: Table
    nodes: Table | None = None
    features: Table | Array | sp.csr_array | None = None
    columns: Columns = field(default_factory=Columns)


class _Nodes(NamedTuple):
    """The table of nodes, its columns, and its ids as texts ``[k]``."""

    sheet: Sheet
    id: str
    label: str
    listed: Array


def from_tables(tables: Tables) -> RawGraph:
    """Describe the graph of some tables.

    Nodes whose ids are 0 to n - 1 stand in that order; others stand as the table of nodes lists
    them, followed by those that only features or edges name.

    Raises:
        DataError: for a column that is not there or not clear, and for values that do not fit.
    """
    sheet = read_sheet(tables.edges, "the edges", tables.columns.as_text)
    edges, ends = sheet, find_ends(sheet, tables.columns.ends)
    if ends not in (tables.columns.ends, NO_HEADER) and not are_known(ends):
        edges, ends = _with_header(sheet, ends)
    pairs = np.stack([ids_of(edges, name) for name in ends], axis=1)
    known = pd.Index(pd.unique(pairs.ravel()))
    nodes = _read_nodes(tables, known, edges.where)
    features = _read_features(tables, nodes, known)
    numbering = number_nodes(nodes.listed, features.ids, pairs)
    splits = _read_splits(nodes.sheet, numbering)
    labels = nodes.sheet.table[nodes.label].astype(object)
    return RawGraph(
        edges.where,
        numbering.ends,
        features.placed(numbering.featured, numbering.count),
        numbering.spread(labels.where(labels.notna(), None).to_numpy(), None),
        splits.splits,
        numbering.ids,
        feature_names=features.names,
        findings=replace(
            _findings(edges, ends, nodes, features),
            unlisted=tuple(map(str, np.delete(numbering.ids, numbering.listed))),
            shared_parts=splits.shared_parts,
        ),
    )


def _findings(
    edges: Sheet, ends: tuple[str, str], nodes: _Nodes, features: FeatureRows
) -> Findings:
    """The columns of all tables, and what was found in them."""
    weights = [name for name in edges.table.columns if name.lower() in VALUES]
    others = [name for name in edges.table.columns if name not in (*ends, *weights)]
    return Findings(
        taken={
            "edges": ", ".join(ends),
            "node ids": nodes.id,
            "labels": nodes.label,
            "features": features.taken,
        },
        unused=(*unused_columns(others, edges.where), *features.unused),
        weighted=sum(_weighted(edges.table[name]) for name in weights),
        repeated_features=features.repeated,
        renumbered=features.renumbered,
    )


def _with_header(sheet: Sheet, ends: tuple[str, str]) -> tuple[Sheet, tuple[str, str]]:
    """The edges; with the header as one of them if it has an id, as in a file without header."""
    table = sheet.table
    if not any(table[name].isin(ends).any() for name in ends):
        return sheet, ends
    first = pd.DataFrame([list(table.columns)], columns=table.columns, dtype=object)
    whole = pd.concat([first, table.astype(object)], ignore_index=True)
    places = [str(table.columns.get_loc(name)) for name in ends]
    numbered = whole.set_axis([str(number) for number in range(len(table.columns))], axis=1)
    return Sheet(numbered, sheet.where), (places[0], places[1])


def _read_nodes(tables: Tables, ends: pd.Index, edges_where: str) -> _Nodes:
    if tables.nodes is None:
        raise DataError(
            f"{edges_where}: a list of edges has no labels; give a table of nodes as well, with"
            " one row per node: its id, its label, perhaps its features (--nodes nodes.csv)"
        )
    sheet = read_sheet(tables.nodes, "the nodes", tables.columns.as_text)
    label = find_label(sheet, tables.columns.label)
    column = find_ids(sheet, tables.columns.id, ends, label)
    listed = ids_of(sheet, column)
    check_distinct(listed, sheet, column)
    if not ends.isin(listed).any():
        raise DataError(
            f"{edges_where}: no edge ends at a node of {sheet.where}: edges name"
            f" {', '.join(ends[:3])}, ..., but its column {column} has {', '.join(listed[:3])},"
            " ...; name another column: --id COLUMN"
        )
    return _Nodes(sheet, column, label, listed)


def _read_features(tables: Tables, nodes: _Nodes, ends: pd.Index) -> FeatureRows:
    """The features from their own source, or else from the other columns of the nodes."""
    columns = nodes.sheet.table.columns
    no_features = [nodes.label, *(name for name in columns if _is_split(name))]
    if tables.features is None:
        return wide_features(nodes.sheet, nodes.id, no_features)
    rows = _own_features(tables.features, tables.columns, nodes, ends)
    spare = [name for name in columns if name not in (nodes.id, *no_features)]
    return replace(rows, unused=(*rows.unused, *unused_columns(spare, nodes.sheet.where)))


def _own_features(
    source: Table | Array | sp.csr_array, columns: Columns, nodes: _Nodes, ends: pd.Index
) -> FeatureRows:
    if isinstance(source, Path) and source.suffix == ".json":
        owners, features, everyone = read_json_features(source)
        rows = sparse_features(owners, features, np.ones(len(owners)), source.name, str(source))
        return rows.with_empty(everyone)
    if isinstance(source, Path | pd.DataFrame):
        sheet = read_sheet(source, "the features", columns.as_text)
        given = columns.id if columns.id in sheet.table.columns else None
        column = find_ids(sheet, given, ends)
        if long := find_long(sheet.table):
            return long_features(sheet, column, *long)
        return wide_features(sheet, column, ())
    if source.ndim != 2 or source.shape[0] != len(nodes.listed):
        raise DataError(
            f"the features have shape {source.shape}, but {nodes.sheet.where} lists"
            f" {len(nodes.listed)} nodes; give one row for each, in the same order"
        )
    return FeatureRows(nodes.listed, source, "a matrix with a row for each listed node")


def _read_splits(sheet: Sheet, numbering: Numbering) -> Splits:
    """Splits from columns like ``train_mask``, and from columns ``split`` with names of parts."""
    table = sheet.table
    arrays: dict[str, Any] = {
        name: numbering.spread(table[name].to_numpy(), False)
        for name in split_arrays(dict.fromkeys(table.columns))
    }
    named = [name for name in table.columns if SPLIT_NAME.fullmatch(name)]
    if named and arrays:
        raise DataError(f"{sheet.where}: columns {named[0]} and {next(iter(arrays))}; keep one")
    if named:
        parts = table[named].astype(str).replace({"valid": "val", "validation": "val"})
        for part in PARTS:
            masks = [numbering.spread((parts[name] == part).to_numpy(), False) for name in named]
            arrays[f"{part}_masks"] = np.stack(masks)
    return read_splits(arrays, numbering.count, sheet.where)


def _is_split(name: str) -> bool:
    return bool(SPLIT_NAME.fullmatch(name) or split_arrays({name: None}))


def _weighted(column: pd.Series) -> int:
    return int((pd.to_numeric(column, errors="coerce") != 1).sum())
