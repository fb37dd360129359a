"""The nodes of one graph under one protocol, setting and seed, with or without a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task
from gkd_runner.nodes.measures import influence_options
from gkd_runner.nodes.predictions import run_columns
from gkd_runner.nodes.table import graph_columns
from gkd_runner.options.schema import Config
from gkd_runner.runs.display import work_progress
from gkd_runner.runs.environment import choose_device
from gkd_runner.runs.reload import reload_run


@dataclass(frozen=True, eq=False)
class Inspected:
    """A table of nodes and its origin; ``of_run`` tells whether predictions are in it."""

    config: Config
    task: Task
    table: pd.DataFrame
    of_run: bool

    @property
    def title(self) -> str:
        """The origin of the numbers, in a line."""
        config = self.config
        run = f" {config.teacher.name} teacher, {config.method.name};" if self.of_run else ""
        return (
            f"{config.dataset.name}, {config.protocol.name} protocol, {config.setting.name};{run}"
            f" seed {self.task.seed}"
        )


def inspect_graph(config: Config, seed: int | None = None) -> Inspected:
    """The nodes without predictions, for ``seed`` (by default the configuration's first)."""
    graph = load_dataset(config.dataset, config.protocol, config.data_dir)
    task = make_task(graph, config, config.seeds[0] if seed is None else seed)
    with work_progress():
        columns = graph_columns(task, influence_options(config), choose_device(config.device))
    return Inspected(config, task, pd.DataFrame(columns), of_run=False)


def inspect_run(
    path: Path, seed: int | None = None, moved: Mapping[str, str] = MappingProxyType({})
) -> Inspected:
    """The nodes with the predictions of a finished run; arguments as for ``reload_run``."""
    run = reload_run(path, seed, moved)
    with work_progress():
        columns = graph_columns(run.task, influence_options(run.config), choose_device("auto"))
    columns |= run_columns(run)
    return Inspected(run.config, run.task, pd.DataFrame(columns), of_run=True)
