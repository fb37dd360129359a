"""How long a GNN and its students take to answer, and what they read for it.

The GNN gathers a neighbourhood for each request and the student on raw features looks up a row;
InfGraND's student does so too, with features propagated beforehand, or propagates on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from gkd_runner.common.console import make_console
from gkd_runner.common.errors import ConfigError
from gkd_runner.config.build import data_dir
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import IntArray
from gkd_runner.data.protocols import make_task
from gkd_runner.options.schema import Config, InfgrandConfig
from gkd_runner.runs.environment import choose_device
from gkd_runner.serving.servers import Server, make_servers
from gkd_runner.studies.cases import only_method
from gkd_runner.studies.inference_report import (
    ALL,
    BATCHES,
    SIZES,
    InferenceLine,
    sentence,
    table,
)
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.origin import configuration_hash, origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Finding, Study
from gkd_runner.studies.timing import Timing, measure, peak_bytes

SHAPING = ("protocol", "teacher", "student", "method")
"""The options that shape what is measured."""

FURTHER = 5
"""Requests whose peak memory (median) and nodes read (mean) are looked at."""


def run(cases: Sequence[Case], lines: Lines[InferenceLine]) -> Finding:
    """Measure every model of every configuration, whatever was measured before."""
    console, measured = make_console(), list[InferenceLine]()
    configs = [case.config for case in cases]
    if len(configs[0].seeds) > 1:
        raise ConfigError([f"seeds={configs[0].seeds}: time is measured with one; give one"])
    origin = origin_columns(choose_device(configs[0].device))
    for config in configs:
        found = list(measure_config(config, origin))
        lines.add(found)
        measured += found
        what = f"{config.dataset.name}, {config.teacher.name} and students, {config.setting.name}"
        console.print(f"{what}: {len(found)} measurements")
    return Finding(table(measured), sentence(measured))


def measure_config(config: Config, origin: Mapping[str, Any]) -> Iterator[InferenceLine]:
    """One line per model and batch size, on the split of the seed and with fresh weights."""
    device = choose_device(config.device)
    method = only_method(config, InfgrandConfig)
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    test = make_task(graph, config, config.seeds[0]).split.test
    options = {name: asdict(getattr(config, name)) for name in SHAPING}
    configuration = configuration_hash(graph.fingerprint, options, SIZES)
    sizes = {str(size): size for size in BATCHES if size < len(test)} | {ALL: len(test)}
    for model, server in make_servers(config, method, graph, device).items():
        shape = config.teacher if model == config.teacher.name else config.student
        for size, nodes in sizes.items():
            cost = measure_server(server, partial(draw, test, nodes, _rng(config), device), device)
            yield InferenceLine(
                dataset=config.dataset.name,
                protocol=config.protocol.name,
                setting=config.setting.name,
                teacher=config.teacher.name,
                model=model,
                layers=shape.num_layers,
                hidden_dim=shape.hidden_dim,
                size=size,
                nodes=nodes,
                median_seconds_per_node=cost.timing.median / nodes,
                low=cost.timing.low / nodes,
                high=cost.timing.high / nodes,
                peak_bytes=cost.peak_bytes,
                nodes_read=cost.nodes_read,
                repeats=cost.timing.repeats,
                configuration=configuration,
                **origin,
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


STUDY = Study(
    defaults=SHARED_DEFAULTS
    | {
        "dataset": "cora,citeseer,pubmed,amazon-photo,coauthor-cs,coauthor-physics",
        "teacher": "gcn,sage,gat",
        "seeds": "2022",
        "protocol": "glnn",  # whose test nodes are many
        "method": "infgrand",
    },
    line=InferenceLine,
    run=run,
)
