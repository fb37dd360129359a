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
from rich.table import Table
from torch import Tensor

from gkd_runner.common.console import make_console
from gkd_runner.common.errors import ConfigError
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import IntArray
from gkd_runner.data.protocols import make_task
from gkd_runner.methods.infgrand import InfgrandConfig
from gkd_runner.options.schema import Config
from gkd_runner.results.selection import TEACHERS, in_order
from gkd_runner.runs.environment import choose_device
from gkd_runner.serving.servers import Server, make_servers
from gkd_runner.serving.timing import measure, peak_bytes
from gkd_runner.studies.cases import only_method
from gkd_runner.studies.measurements import Form, Measurements, configuration_hash, origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Study
from gkd_runner.studies.wording import geometric_means, study_table, too_few_graphs

BATCHES = (1, 32, 1024)
"""Nodes per request; sizes beyond a graph's test nodes are left out."""

ALL = "all"
"""All test nodes at once."""

SIZES = (*map(str, BATCHES), ALL)

PLAIN = "mlp"
"""The MLP on raw features."""

PROPAGATED = "infgrand-mlp"
"""InfGraND's student, on features propagated beforehand."""

STUDENTS = (PLAIN, PROPAGATED, "infgrand-mlp-on-request")

CLAIMED = {"sage": 8.56, "gat": 13.89}
"""How many times faster than these GNNs the student is in the InfGraND article,"""

LEAST = 6
"""and how many times at least against any GNN (6 to 14)."""

FORM = Form(
    "dataset,protocol,setting,teacher,model,layers,hidden_dim,size,nodes,"
    "median_seconds_per_node,low,high,peak_bytes,nodes_read,repeats,threads,device,commit,configuration",
    scope=("dataset", "protocol", "setting", "teacher", "threads", "device"),
    index=("model", "size"),
)
"""One model at one batch size per row.

``size`` is one of ``SIZES`` and ``nodes`` its number of nodes on this graph; ``layers`` and
``hidden_dim`` are the model's. Seconds are medians and quartiles (``low``, ``high``) over
``repeats`` requests, per node; ``peak_bytes`` and ``nodes_read`` are per request.
"""

GNN = "GNN"


def machines(measured: pd.DataFrame) -> pd.Series:
    """The machine that each row was measured on."""
    threads = measured["threads"].map(lambda count: f"{count} thread{'' if count == 1 else 's'}")
    return threads.astype("string") + " of " + measured["device"]


def own_model(method: str) -> str:
    """The name under which a method's own student is measured."""
    return method if method == PLAIN else f"{method}-mlp"


def by_model(measured: pd.DataFrame) -> pd.DataFrame:
    """Seconds, bytes and nodes read of the GNN and its students, a row per task and batch size."""
    model = measured["model"].where(measured["model"] != measured["teacher"], GNN)
    rows = measured.assign(model=model, machine=machines(measured))
    rows["peak_bytes"] = rows["peak_bytes"].clip(lower=1).astype(float)
    values = ["median_seconds_per_node", "peak_bytes", "nodes_read"]
    task = ["teacher", "size", "dataset", "protocol", "setting", "machine"]
    columns = pd.MultiIndex.from_product([values, [GNN, *STUDENTS]])
    return rows.pivot(index=task, columns="model", values=values).reindex(columns=columns)


def speed_ups(measured: pd.DataFrame) -> pd.DataFrame:
    """Time of the GNN over that of each student, a row per task and batch size."""
    seconds = by_model(measured)["median_seconds_per_node"]
    return seconds[list(STUDENTS)].rdiv(seconds[GNN], axis=0)


def table(measured: pd.DataFrame) -> Table:
    """Per GNN and batch size: geometric means over graphs."""
    by = ["teacher", "size"]
    means = geometric_means(by_model(measured), by)
    seconds, peak = 1e6 * means["median_seconds_per_node"], means["peak_bytes"] / 1e6
    faster = geometric_means(speed_ups(measured), by)["mlp"]
    columns = {
        "GNN\nµs": seconds[GNN].map("{:.1f}".format),
        "mlp\nµs": seconds["mlp"].map("{:.1f}".format),
        "infgrand\nµs": seconds["infgrand-mlp"].map("{:.1f}".format),
        "on request\nµs": seconds["infgrand-mlp-on-request"].map("{:.1f}".format),
        "mlp is\nfaster": faster.map("{:.1f} x".format),
        "GNN\nreads": means["nodes_read", GNN].map("{:.0f}".format),
        "GNN\nMB": peak[GNN].map("{:.2g}".format),
        "mlp\nMB": peak["mlp"].map("{:.2g}".format),
    }
    gnns = in_order(measured["teacher"], TEACHERS)
    rows = [row for gnn in gnns for size in SIZES if (row := (gnn, size)) in means.index]
    cells = pd.DataFrame(columns).reindex(pd.MultiIndex.from_tuples(rows))
    return study_table(
        "time per node, nodes read and peak memory per request: geometric means over graphs;"
        " infgrand reads features propagated beforehand, or propagates on request",
        cells.rename_axis(["GNN", "batch"]),
        ends=[ALL],
    )


def sentence(measured: pd.DataFrame) -> str:
    """The speed-up of the students, beside the article's claim."""
    ratios = speed_ups(measured)
    sizes = {"1": "One node at a time", ALL: "All test nodes at once"}
    parts = [
        part
        for size, name in sizes.items()
        if (part := _judged(name, ratios[ratios.index.get_level_values("size") == size]))
    ]
    if not parts:
        return "Not measured yet: a GNN and its student at the same batch size."
    return (
        f"The InfGraND article claims that a student is {CLAIMED['sage']} times as fast as"
        f" GraphSAGE, {CLAIMED['gat']} times as fast as GAT, and {LEAST} to 14 times in all."
        f" {' '.join(parts)} These are geometric means over graphs."
    )


def _judged(name: str, ratios: pd.DataFrame) -> str:
    """The speed-ups at one batch size, and what they say of the claim; empty without any."""
    means = geometric_means(ratios, ["teacher"]).dropna(subset=PLAIN)
    if means.empty:
        return ""
    fewest = int(ratios[PLAIN].dropna().groupby("teacher").size().min())
    told = f"{name}, the claim {_verdict(means[PLAIN], fewest)}: the MLP is {_times(means[PLAIN])}."
    propagated = _times(means[PROPAGATED].dropna())
    if not propagated:
        return told
    return f"{told} InfGraND's student, on features propagated beforehand, is {propagated}."


def _times(means: pd.Series) -> str:
    gnns = in_order(means.index, TEACHERS)
    return ", ".join(f"{means[gnn]:.1f} times as fast as {gnn}" for gnn in gnns)


def _verdict(means: pd.Series, graphs: int) -> str:
    short = [gnn for gnn in in_order(means.index, TEACHERS) if means[gnn] < CLAIMED.get(gnn, LEAST)]
    told = f"does not hold for {', '.join(short)}" if short else "holds"
    return too_few_graphs(graphs) or told


SHAPING = ("protocol", "teacher", "student", "method")
"""The options that shape what is measured."""

FURTHER = 5
"""Requests whose peak memory (median) and nodes read (mean) are recorded."""


def run(cases: Sequence[Case], _: Measurements) -> Iterator[pd.DataFrame]:
    """Measure every model of every configuration, whatever was measured before."""
    console, configs = make_console(), [case.config for case in cases]
    if len(configs[0].seeds) > 1:
        raise ConfigError([f"seeds={configs[0].seeds}: time is measured with one; give one"])
    origin = origin_columns(choose_device(configs[0].device))
    for config in configs:
        part = FORM.table(row | origin for row in measure_config(config))
        yield part
        name = f"{config.dataset.name}, {config.teacher.name} and students, {config.setting.name}"
        console.print(f"{name}: {len(part)} measurements")


def measure_config(config: Config) -> Iterator[dict[str, Any]]:
    """One row per model and batch size, on the split of the seed and with fresh weights."""
    device, seed = choose_device(config.device), config.seeds[0]
    method = only_method(config, InfgrandConfig)
    graph = load_dataset(config.dataset, config.protocol, config.data_dir)
    test = make_task(graph, config, seed).split.test
    options = {name: asdict(getattr(config, name)) for name in SHAPING}
    configuration = configuration_hash(graph.fingerprint, options, SIZES)
    sizes = {str(size): size for size in BATCHES if size < len(test)} | {ALL: len(test)}
    for model, server in make_servers(config, method, graph, device).items():
        shape = config.gnn if model == config.teacher.name else config.student
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
