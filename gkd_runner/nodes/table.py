"""One row per node: the columns, and the CSV file that holds them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.files import replacing
from gkd_runner.data.graph import UNKNOWN_LABEL, IntArray
from gkd_runner.data.task import Task
from gkd_runner.nodes.measures import degrees, local_homophily, node_influence
from gkd_runner.options.schema import InfgrandConfig

Column = np.ma.MaskedArray[Any, Any]
"""``[n]`` of integers, numbers, truth values or text; masked where a node has no value."""


@dataclass(frozen=True, eq=False)
class NodeTable:
    """Columns by name, each ``[n]``: row ``i`` is node ``i`` of the graph the protocol works on."""

    columns: Mapping[str, Column]

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def num_nodes(self) -> int:
        return len(self["node"])

    def together(self, *names: str) -> tuple[npt.NDArray[Any], ...]:
        """These columns without the nodes that lack a value in one of them."""
        missing = np.any([np.ma.getmaskarray(self[name]) for name in names], axis=0)
        return tuple(self[name].data[~missing] for name in names)


def graph_columns(task: Task, options: InfgrandConfig) -> dict[str, Column]:
    """Columns that need no training; ``hidden`` is masked unless the setting is inductive.

    Nodes that are neither observed nor hidden (in no split, under ``observe_unsplit: false``)
    have no value there either.
    """
    n = task.graph.num_nodes
    inductive = len(task.hidden) > 0
    told = np.concatenate([task.observed, task.hidden]) if inductive else task.hidden
    return {
        "node": np.ma.asarray(np.arange(n)),
        "degree": np.ma.asarray(degrees(task.graph)),
        "label": np.ma.masked_equal(task.graph.labels, UNKNOWN_LABEL),
        "split": split_column(task),
        "hidden": scattered(n, told, np.isin(told, task.hidden)),
        "local_homophily": np.ma.masked_invalid(local_homophily(task.graph)),
        "influence": scattered(n, *node_influence(task, options)),
    }


def split_column(task: Task) -> Column:
    """The part of the split that each node is in, or ``none``."""
    split = np.full(task.graph.num_nodes, "none", dtype="<U5")
    for part in ("train", "val", "test"):
        split[getattr(task.split, part)] = part
    return np.ma.asarray(split)


def scattered(n: int, nodes: IntArray, values: npt.NDArray[Any]) -> Column:
    """A column of ``n`` rows with ``values`` at ``nodes``, masked elsewhere."""
    column = np.zeros(n, dtype=values.dtype)
    column[nodes] = values
    missing = np.ones(n, dtype=bool)
    missing[nodes] = False
    return np.ma.masked_array(column, missing)


def write_csv(table: NodeTable, path: Path) -> None:
    """Write ``table`` to ``path``, atomically; numbers with 6 significant digits."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(zip(*map(_texts, table.columns.values()), strict=True))


def _texts(column: Column) -> list[str]:
    kind = column.dtype.kind
    return [_text(value, kind) for value in column.tolist()]


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "b":
        return "true" if value else "false"
    return f"{value:.6g}" if kind == "f" else str(value)
