"""How long a GNN and its students take to answer, and what they read for it.

The GNN gathers a neighbourhood for each request and the student on raw features looks up a row;
InfGraND's student does so too, with features propagated beforehand, or propagates on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from rich.table import Table
from torch import Tensor

from gkd_runner.config.build import data_dir
from gkd_runner.config.schema import Config, InfgrandConfig
from gkd_runner.console import make_console
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import IntArray
from gkd_runner.data.task import make_task
from gkd_runner.environment import choose_device
from gkd_runner.errors import ConfigError
from gkd_runner.reporting.compare import TEACHERS, in_order
from gkd_runner.serving.servers import Server, make_servers
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.study import (
    Case,
    Report,
    Study,
    only_method,
    plain_table,
    provenance_columns,
)
from gkd_runner.timing import Timing, measure, peak_bytes

BATCHES = (1, 32, 1024)
"""Nodes per request, beside all test nodes; sizes that a graph has too few for fall out."""

SIZES = (*map(str, BATCHES), "all")

STUDENTS = ("mlp", "infgrand-mlp", "infgrand-mlp-on-request")

FURTHER = 5
"""Requests whose peak memory (median) and nodes read (mean) are looked at."""

CLAIMED = {"sage": 8.56, "gat": 13.89}
"""How many times faster than these GNNs the student is in the InfGraND article,"""

LEAST = 6
"""and how many times at least against any GNN (6 to 14)."""


@dataclass(frozen=True)
class Line:
    """One model at one batch size; seconds are medians and quartiles over requests.

    ``batch`` is in nodes, its largest value per dataset all test nodes; ``peak_bytes`` and
    ``nodes_read`` are per request.
    """

    dataset: str
    setting: str
    teacher: str
    model: str
    layers: int
    hidden_dim: int
    batch: int
    median_seconds_per_node: float
    low: float
    high: float
    peak_bytes: int
    nodes_read: float
    repeats: int
    threads: int
    device: str
    commit: str


def run(cases: Sequence[Case], lines: Lines[Line]) -> Report:
    """Measure every model of every configuration, whatever was measured before."""
    console, measured = make_console(), list[Line]()
    configs = [case.config for case in cases]
    if len(configs[0].seeds) > 1:
        raise ConfigError([f"seeds={configs[0].seeds}: time is measured with one; give one"])
    where = provenance_columns(cases)
    for config in configs:
        found = list(measure_config(config, where))
        lines.add(found)
        measured += found
        what = f"{config.dataset.name}, {config.teacher.name} and students, {config.setting.name}"
        console.print(f"{what}: {len(found)} measurements")
    return Report(table(measured), sentence(measured))


def measure_config(config: Config, where: Mapping[str, Any]) -> Iterator[Line]:
    """One line per model and batch size, on the split of the seed and with fresh weights."""
    device = choose_device(config.device)
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    method = only_method(config, InfgrandConfig)
    test = make_task(graph, config, config.seeds[0]).split.test
    for model, server in make_servers(config, method, graph, device).items():
        shape = config.teacher if model == config.teacher.name else config.student
        for batch in (*(size for size in BATCHES if size < len(test)), len(test)):
            cost = measure_server(server, partial(draw, test, batch, _rng(config), device), device)
            yield Line(
                dataset=config.dataset.name,
                setting=config.setting.name,
                teacher=config.teacher.name,
                model=model,
                layers=shape.num_layers,
                hidden_dim=shape.hidden_dim,
                batch=batch,
                median_seconds_per_node=cost.timing.median / batch,
                low=cost.timing.low / batch,
                high=cost.timing.high / batch,
                peak_bytes=cost.peak_bytes,
                nodes_read=cost.nodes_read,
                repeats=cost.timing.repeats,
                **where,
            )


def _rng(config: Config) -> np.random.Generator:
    return np.random.default_rng(config.seeds[0])


def draw(
    test: IntArray, batch: int, rng: np.random.Generator, device: torch.device
) -> Int[Tensor, " k"]:
    """``batch`` distinct test nodes on the device."""
    return torch.from_numpy(rng.choice(test, batch, replace=False)).to(device)


@dataclass(frozen=True)
class Cost:
    """Seconds of a request, and what it takes."""

    timing: Timing
    peak_bytes: int
    nodes_read: float


@torch.inference_mode()
def measure_server(server: Server, drawn: Callable[[], Tensor], device: torch.device) -> Cost:
    """Time requests; then look at the memory and the reading of a few more."""
    timing = measure(server, drawn, device)
    requests = [drawn() for _ in range(FURTHER)]
    peaks = [peak_bytes(partial(server, nodes), device) for nodes in requests]
    read = [server(nodes).nodes_read for nodes in requests]
    return Cost(timing, int(np.median(peaks)), float(np.mean(read)))


def table(lines: Sequence[Line]) -> Table:
    """Per GNN and batch size: geometric means over graphs."""
    shown = plain_table(
        "microseconds per node, and nodes read per request: geometric means over graphs",
        ("batch", "GNN", "", "mlp", "infgrand\nmlp", "on\nrequest", "mlp is\nfaster", "GNN\nreads"),
    )
    for size in SIZES:
        for gnn in in_order((line.teacher for line in lines), TEACHERS):
            mine = _by_model([line for line in lines if line.teacher == gnn], size)
            if mine:
                micros = (
                    f"{1e6 * _mean(line.median_seconds_per_node for line in mine[model]):.1f}"
                    for model in (gnn, *STUDENTS)
                )
                faster = f"{speed_up(lines, gnn, size):.1f} x"
                read = f"{_mean(line.nodes_read for line in mine[gnn]):.0f}"
                shown.add_row(size, gnn, *micros, faster, read)
    return shown


def sentence(lines: Sequence[Line]) -> str:
    """How much faster the MLP was, beside the article's claim."""
    gnns = in_order((line.teacher for line in lines), TEACHERS)
    parts = []
    for size, name in (("1", "one node at a time"), ("all", "all test nodes at once")):
        ratios = {gnn: speed_up(lines, gnn, size) for gnn in gnns}
        told = ", ".join(f"{gnn} {ratio:.1f}" for gnn, ratio in ratios.items())
        parts.append(f"{name} {told} ({_verdict(ratios)})")
    return (
        f"Per node the MLP is so many times faster than its teacher (geometric means over"
        f" {len({line.dataset for line in lines})} graphs): {'; '.join(parts)}; the InfGraND"
        f" article claims {CLAIMED['sage']} against GraphSAGE, {CLAIMED['gat']} against GAT, and"
        f" {LEAST} to 14 in all."
    )


def _verdict(ratios: Mapping[str, float]) -> str:
    short = [gnn for gnn, ratio in ratios.items() if ratio < CLAIMED.get(gnn, LEAST)]
    return f"the claim does not hold for {', '.join(short)}" if short else "the claim holds"


def speed_up(lines: Sequence[Line], gnn: str, size: str) -> float:
    """How many times faster the MLP is than ``gnn``: geometric mean over graphs."""
    mine = _by_model([line for line in lines if line.teacher == gnn], size)
    return _mean(
        slow.median_seconds_per_node / fast.median_seconds_per_node
        for slow, fast in zip(mine[gnn], mine["mlp"], strict=True)
    )


def named_sizes(lines: Sequence[Line]) -> Callable[[Line], str]:
    """What a line's batch size is called: its number, or ``all`` for the largest of its dataset."""
    largest: dict[str, int] = {}
    for line in lines:
        largest[line.dataset] = max(largest.get(line.dataset, 0), line.batch)
    return lambda line: "all" if line.batch == largest[line.dataset] else str(line.batch)


def _by_model(lines: Sequence[Line], size: str) -> dict[str, list[Line]]:
    """The lines of one of ``SIZES`` by model, in one order."""
    name = named_sizes(lines)
    found: dict[str, list[Line]] = {}
    for line in lines:
        if name(line) == size:
            found.setdefault(line.model, []).append(line)
    return found


def _mean(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(values)))))


STUDY = Study(
    defaults={
        "dataset": "cora,citeseer,pubmed,amazon-photo,coauthor-cs,coauthor-physics",
        "teacher": "gcn,sage,gat",
        "seeds": "2022",
        "protocol": "glnn",  # whose test nodes are many
        "setting": "transductive",
        "method": "infgrand",
        "preset": "common",
        "tracker": "none",
    },
    line=Line,
    key=(
        "dataset", "setting", "teacher", "model", "layers", "hidden_dim", "batch", "threads",
        "device",
    ),
    run=run,
)  # fmt: skip
