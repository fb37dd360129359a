"""How long do a GNN and its students take to answer, and how much do they read for it?

The GNN gathers a neighbourhood for each request. The student on raw features looks up a row per
node, and so does InfGraND's on features propagated beforehand; or it propagates on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
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
from gkd_runner.studies.inference_report import ALL, BATCHES, FORM, SIZES, sentence, table
from gkd_runner.studies.measurements import Measurements, configuration_hash, origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Study
from gkd_runner.studies.timing import measure, peak_bytes

SHAPING = ("protocol", "teacher", "student", "method")
"""The options that shape what is measured."""

FURTHER = 5
"""Requests whose peak memory (median) and nodes read (mean) are recorded."""


def run(cases: Sequence[Case], measurements: Measurements) -> pd.DataFrame:
    """Measure every model of every configuration, whatever was measured before."""
    console, parts = make_console(), list[pd.DataFrame]()
    configs = [case.config for case in cases]
    if len(configs[0].seeds) > 1:
        raise ConfigError([f"seeds={configs[0].seeds}: time is measured with one; give one"])
    origin = origin_columns(choose_device(configs[0].device))
    for config in configs:
        parts.append(FORM.table(row | origin for row in measure_config(config)))
        measurements.add(parts[-1])
        name = f"{config.dataset.name}, {config.teacher.name} and students, {config.setting.name}"
        console.print(f"{name}: {len(parts[-1])} measurements")
    return pd.concat(parts)


def measure_config(config: Config) -> Iterator[dict[str, Any]]:
    """One row per model and batch size, on the split of the seed and with fresh weights."""
    device, seed = choose_device(config.device), config.seeds[0]
    method = only_method(config, InfgrandConfig)
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    test = make_task(graph, config, seed).split.test
    options = {name: asdict(getattr(config, name)) for name in SHAPING}
    configuration = configuration_hash(graph.fingerprint, options, SIZES)
    sizes = {str(size): size for size in BATCHES if size < len(test)} | {ALL: len(test)}
    for model, server in make_servers(config, method, graph, device).items():
        shape = config.teacher if model == config.teacher.name else config.student
        for size, nodes in sizes.items():
            request = partial(draw, test, nodes, np.random.default_rng(seed), device)
            yield {
                "dataset": config.dataset.name,
                "protocol": config.protocol.name,
                "setting": config.setting.name,
                "teacher": config.teacher.name,
                "model": model,
                "layers": shape.num_layers,
                "hidden_dim": shape.hidden_dim,
                "size": size,
                "nodes": nodes,
                "configuration": configuration,
                **measure_server(server, request, nodes, device),
            }


def draw(
    test: IntArray, batch: int, rng: np.random.Generator, device: torch.device
) -> Int[Tensor, " k"]:
    """``batch`` distinct test nodes on the device."""
    return torch.from_numpy(rng.choice(test, batch, replace=False)).to(device)


@torch.inference_mode()
def measure_server(
    server: Server, drawn: Callable[[], Tensor], batch: int, device: torch.device
) -> dict[str, float]:
    """Time requests of ``batch`` nodes; then measure the memory and the reading of a few more."""
    timing = measure(server, drawn, device)
    requests = [drawn() for _ in range(FURTHER)]
    return {
        "median_seconds_per_node": timing.median / batch,
        "low": timing.low / batch,
        "high": timing.high / batch,
        "repeats": timing.repeats,
        "peak_bytes": int(np.median([peak_bytes(partial(server, r), device) for r in requests])),
        "nodes_read": float(np.mean([server(request).nodes_read for request in requests])),
    }


STUDY = Study(
    defaults=SHARED_DEFAULTS
    | {
        "dataset": "cora,citeseer,pubmed,amazon-photo,coauthor-cs,coauthor-physics",
        "teacher": "gcn,sage,gat",
        "seeds": "2022",
        "protocol": "glnn",  # whose test nodes are many
        "method": "infgrand",
    },
    form=FORM,
    run=run,
    table=table,
    sentence=sentence,
)
