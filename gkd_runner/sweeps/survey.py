"""Survey a sweep before it runs: finished cells, missing replicas, teachers to train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gkd_runner.common.errors import GkdError
from gkd_runner.config.command_line import Cell
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import GraphData
from gkd_runner.data.protocols import make_task, replicas_of
from gkd_runner.data.task import Replica
from gkd_runner.options.schema import Config
from gkd_runner.results.key import config_key
from gkd_runner.results.stored import cell_folder, newest_runs, trains_again
from gkd_runner.runs.environment import choose_device
from gkd_runner.training.cache import TeacherCache
from gkd_runner.training.soft_labels import key_of


@dataclass(frozen=True)
class Surveyed:
    """A cell before it runs.

    Attributes:
        cell: the cell.
        key: the key of its runs; empty when its graph cannot be read.
        replicas: its seeds and splits.
        missing: the replicas that no finished run has.
        teachers: the keys of the teachers that these need.
        problem: the reason why the cell cannot start, if it is known already.
    """

    cell: Cell
    key: str
    replicas: tuple[Replica, ...]
    missing: tuple[Replica, ...]
    teachers: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True)
class Plan:
    """All cells of a sweep in order, and the numbers of distinct teachers that they need."""

    cells: tuple[Surveyed, ...]
    teachers_cached: int
    teachers_to_train: int

    @property
    def done(self) -> int:
        """Number of cells without a missing seed."""
        return sum(not cell.missing for cell in self.cells)


def survey(cells: Sequence[Cell]) -> Plan:
    """Read each graph once and look up every cell. Cells that cannot start have a ``problem``."""
    graphs: dict[str, GraphData | GkdError] = {}
    surveyed = []
    for position, cell in sorted(enumerate(cells), key=lambda item: _graph_id(item[1].config)):
        graph_id = _graph_id(cell.config)
        if graph_id not in graphs:
            graphs = {graph_id: _load(cell.config)}  # one graph in memory at a time
        surveyed.append((position, _look_up(cell, graphs[graph_id])))
    ordered = tuple(cell for _, cell in sorted(surveyed, key=lambda item: item[0]))
    needed = {(cell.cell.config.cache_dir, key) for cell in ordered for key in cell.teachers}
    modes = {cell.cell.config.cache for cell in ordered}
    cached = _cached(needed) if modes == {"use"} else 0
    return Plan(ordered, cached, len(needed) - cached)


def _graph_id(config: Config) -> str:
    cut = sorted(config.protocol.largest_component)
    return f"{config.dataset} {cut} {config.data_dir}"


def _load(config: Config) -> GraphData | GkdError:
    try:
        return load_dataset(config.dataset, config.protocol, config.data_dir)
    except GkdError as error:
        return error


def _look_up(cell: Cell, graph: GraphData | GkdError) -> Surveyed:
    config = cell.config
    try:
        if isinstance(graph, GkdError):
            raise graph
        device = choose_device(config.device)
        key = config_key(config, graph, device)
        replicas = tuple(replicas_of(graph, config))
        done = {} if trains_again(config) else newest_runs(cell_folder(config), key, replicas)
        missing = tuple(replica for replica in replicas if replica not in done)
        teachers = _teachers(config, graph, device, missing)
    except GkdError as error:
        unknown = tuple(Replica(seed) for seed in config.seeds)
        return Surveyed(cell, "", unknown, unknown, (), str(error))
    return Surveyed(cell, key, replicas, missing, teachers)


def _teachers(
    config: Config, graph: GraphData, device: torch.device, replicas: Iterable[Replica]
) -> tuple[str, ...]:
    return tuple(key_of(make_task(graph, config, *replica), config, device) for replica in replicas)


def _cached(needed: set[tuple[str, str]]) -> int:
    return sum(TeacherCache(Path(folder).expanduser(), "use").holds(key) for folder, key in needed)
