"""The named graphs on which the benchmark measures, and their configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import scipy.sparse as sp

from bench.shapes import SHAPES, kept_graph, shaped_graph
from gkd_runner.config.build import compose
from gkd_runner.data.datasets import load_dataset, treated
from gkd_runner.data.graph import GraphData
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task
from gkd_runner.options.schema import Config

SEED = 2022
"""The first of the papers' seeds."""

PACKAGED = ("cora",)

PRESET = ("protocol=infgrand", "preset=common", "preset.table=infgrand")
"""All methods at the widths of the InfGraND paper, so that they share their teachers."""

LARGE = ("products-shape",)
"""Workloads of which a process holds one stage alone; there is no plain reference."""

BATCHES = ("training.batch_size=4096", "training.fan_outs=[5,10,15]")

OGB = ("protocol=glnn", "preset=none", "teacher.num_layers=3", "teacher.hidden_dim=256")
"""The InfGraND table has no row for OGB's graphs; 3 x 256 is usual there (Hu et al., 2020)."""

STEADY = ("tracker=none", "calibration=none", "training.patience=500")
METHOD_OPTIONS = {"krd": ("method.first_draw=2",)}
"""KRD draws edges from this epoch on, so that short trainings show its usual epoch."""

NAMES = {
    "cora": PRESET,
    "pubmed": PRESET,
    "amazon-photo": PRESET,
    "coauthor-cs": PRESET,
    "coauthor-physics": PRESET,
    "arxiv-shape": OGB,
    "products-shape": (*OGB, *BATCHES),
}
"""The options of each workload. A name that ends in -shape is always made up."""

MADE_UP = {"arxiv-shape": "ogbn-arxiv", "products-shape": "ogbn-products"}


@dataclass(frozen=True, eq=False)
class Workload:
    """A graph with its task, and the configurations of what is trained on it.

    ``name`` ends in ``-shape`` if the graph is made up.
    """

    name: str
    dataset: str
    options: tuple[str, ...]
    graph: GraphData

    def config(self, teacher: str = "gcn", method: str = "infgrand", *more: str) -> Config:
        """The configuration of one teacher and method."""
        options = (f"dataset={self.dataset}", f"teacher={teacher}", f"method={method}")
        return compose([*options, *self.options, *STEADY, *METHOD_OPTIONS.get(method, ()), *more])

    @cached_property
    def task(self) -> Task:
        """The transductive task of the first seed."""
        return make_task(self.graph, self.config(), SEED)

    def sizes(self) -> dict[str, Any]:
        """Sizes of the graph and its split."""
        graph, split = self.graph, self.task.split
        return {
            "nodes": graph.num_nodes,
            "undirected_edges": graph.num_edges // 2,
            "features": graph.num_features,
            "stored_features": int(graph.features.nnz) if sp.issparse(graph.features) else None,
            "classes": graph.num_classes,
            "train": len(split.train),
            "val": len(split.val),
            "test": len(split.test),
            "made_up": self.name.endswith("-shape"),
        }


def load_workload(
    name: str, scale: float = 1.0, more: Sequence[str] = (), folder: str | None = None
) -> Workload:
    """The real graph if its file is here, else a made-up one of its shape.

    ``scale`` shrinks ``products-shape``; ``more`` are further options of its configurations. A
    made-up graph is kept in ``folder`` and read from there the next time.
    """
    options = (*NAMES[name], *more)
    dataset = MADE_UP.get(name, name)
    config = compose([f"dataset={dataset}", *options, *STEADY])
    files = Path(config.data_dir).expanduser()
    there = name in PACKAGED or (files / f"{dataset}.npz").is_file()
    if there and name not in MADE_UP:
        graph = load_dataset(config.dataset, config.protocol, files)
        return Workload(name, dataset, options, graph)
    shape = SHAPES[dataset].scaled(scale if name == "products-shape" else 1.0)
    made = kept_graph(dataset, shape, Path(folder)) if folder else shaped_graph(dataset, shape)
    graph = treated(made, config.dataset, config.protocol)
    shown = name if name in MADE_UP else f"{name}-shape"
    return Workload(shown, dataset, options, graph)
