"""One row per node, as a DataFrame: node ``i`` is row ``i`` of the graph the protocol works on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gkd_runner.common.files import replacing
from gkd_runner.common.lazy import torch
from gkd_runner.data.graph import UNKNOWN_LABEL, IntArray
from gkd_runner.data.task import Task
from gkd_runner.methods.infgrand import InfgrandConfig
from gkd_runner.nodes.measures import degrees, local_homophily, task_influence


def graph_columns(
    task: Task, options: InfgrandConfig, device: torch.device | None = None
) -> dict[str, Any]:
    """The columns that need no training.

    ``node`` is the id of a node in its source. ``hidden`` is missing unless the setting is
    inductive, and for nodes that are neither observed nor hidden (in no split, under
    ``observe_unsplit: false``).
    """
    known = np.flatnonzero(task.graph.labels != UNKNOWN_LABEL)
    inductive = len(task.hidden) > 0
    told = np.concatenate([task.observed, task.hidden]) if inductive else task.hidden
    return {
        "node": task.graph.ids,
        "degree": degrees(task.graph),
        "label": node_column(task, known, task.graph.labels[known]),
        "split": split_column(task),
        "hidden": node_column(task, told, np.isin(told, task.hidden)),
        "local_homophily": local_homophily(task.graph),
        "influence": node_column(task, *task_influence(task, options, device)),
    }


def split_column(task: Task) -> npt.NDArray[np.object_]:
    """The part of the split that each node is in, or ``none``."""
    split = np.full(task.graph.num_nodes, "none", dtype=object)
    for part in ("train", "val", "test"):
        split[getattr(task.split, part)] = part
    return split


def node_column(task: Task, nodes: IntArray, values: npt.NDArray[Any]) -> pd.Series:
    """A column with ``values`` at ``nodes``, missing elsewhere."""
    kind: Any = {"f": values.dtype, "b": "boolean"}.get(values.dtype.kind, "Int64")
    return pd.Series(values, index=nodes, dtype=kind).reindex(range(task.graph.num_nodes))


def write_csv(table: pd.DataFrame, classes: Sequence[str], path: Path) -> None:
    """Write the nodes to ``path``, atomically; numbers have 6 significant digits.

    Labels and predictions are written as the names of their ``classes``.
    """
    names = {
        name: table[name].map(dict(enumerate(classes)))
        for name in ("label", "teacher_prediction", "student_prediction")
        if name in table
    }
    truths = {
        name: table[name].map({True: "true", False: "false"})
        for name in table.select_dtypes("boolean")
    }
    with replacing(path) as part:
        table.assign(**truths, **names).to_csv(
            part, index=False, float_format="%.6g", lineterminator="\n"
        )
