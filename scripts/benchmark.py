"""Time the choices that the design rests on, on this machine: ``python scripts/benchmark.py``.

Every line is a median with its interquartile range over repeated runs. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from dgl_oracle import DglKernels
from rich.console import Console
from rich.table import Table
from torch.utils.benchmark import Timer

from gkd_runner.config.build import compose
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import GraphData
from gkd_runner.data.protocols import make_task
from gkd_runner.graph import kernels
from gkd_runner.graph.batch import GraphBatch, batch_graphs
from gkd_runner.graph.features import Features
from gkd_runner.graph.operators import symmetric
from gkd_runner.methods.objective import SoftTarget, distillation
from gkd_runner.models import inputs
from gkd_runner.models.inputs import Inputs, make_inputs, row_inputs
from gkd_runner.models.layers import relu_dropout
from gkd_runner.models.streams import Streams
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.student import train_students
from gkd_runner.training.teacher import train_teachers

Row = tuple[str, str, Callable[[], object]]
CPU = torch.device("cpu")


def objective(graph: GraphBatch, classes: int) -> Iterator[Row]:
    """The distillation loss edge by edge against aggregated, forward and backward."""
    what = f"loss over {graph.num_edges} edges, {classes} classes, forward and backward"
    nodes = graph.nodes
    logits = torch.randn(1, nodes, classes, requires_grad=True)
    teacher = torch.softmax(torch.randn(nodes, classes), 1)

    def by_edge() -> None:
        log_p = torch.log_softmax(logits[0], 1)[graph.receivers]
        F.kl_div(log_p, teacher[graph.senders], reduction="sum").backward()

    mass = torch.zeros(nodes, classes).index_add_(0, graph.receivers, teacher[graph.senders])
    target = SoftTarget(mass[None], torch.zeros(1))
    yield what, "edge by edge", by_edge
    yield what, "aggregated", lambda: distillation(logits, target, 1.0).sum().backward()


def first_layer(data: GraphData, graph: GraphBatch, width: int) -> Iterator[Row]:
    """Raw and propagated features in each form they can take."""
    operator = symmetric(data.adjacency, 2.0)
    weight = torch.randn(1, data.num_features, width, requires_grad=True)

    def product(inputs: Inputs) -> None:
        inputs.matmul(weight).sum().backward()

    for hops in (0, 2):
        features = Features(
            data.features, operator if hops else None, (1 / (hops + 1),) * (hops + 1)
        )
        what = f"first layer, {data.name}, {hops} hops, width {width}, forward and backward"
        dense = row_inputs([Features(features.dense())], CPU)
        yield what, "dense", partial(product, dense)
        yield what, "as chosen", partial(product, make_inputs([features], graph))


def gradient(data: GraphData, graph: GraphBatch, width: int) -> Iterator[Row]:
    """The gradient of a sparse first layer, all rows at once against block by block."""
    weight = torch.randn(1, data.num_features, width, requires_grad=True)
    what = f"gradient of the first layer, {data.name}, width {width}"
    chosen = inputs.ROWS_PER_BLOCK
    for name, rows in (("all rows at once", data.num_nodes), (f"{chosen} rows", chosen)):
        inputs.ROWS_PER_BLOCK = rows
        out = make_inputs([Features(data.features)], graph).matmul(weight)
        inputs.ROWS_PER_BLOCK = chosen
        yield what, name, partial(out.backward, torch.ones_like(out), retain_graph=True)


def dropout(nodes: int, width: int) -> Iterator[Row]:
    """torch's dropout against 16-bit words of a fast generator."""
    x = torch.randn(1, nodes, width)
    streams = Streams([0], "student dropout", CPU)
    what = f"ReLU and dropout, {nodes} x {width}"
    yield what, "F.dropout(F.relu)", lambda: F.dropout(F.relu(x), 0.5)
    yield what, "relu_dropout", lambda: relu_dropout(x, 0.5, streams)


def message_passing(graph: GraphBatch, heads: int, width: int) -> Iterator[Row]:
    """DGL's kernels against torch's."""
    values, x = torch.rand(graph.num_edges, heads), torch.randn(graph.nodes, heads, width)
    backends = {"DGL": DglKernels(graph), "torch CSR": kernels}
    what = f"{graph.num_edges} edges, {heads} heads, width {width}"
    for name, backend in backends.items():
        yield f"spmm, {what}", name, partial(backend.spmm, graph, values, x)
    for name, backend in backends.items():
        yield f"sddmm, {what}", name, partial(backend.sddmm, graph, x, x)


def measure(rows: Iterator[Row], threads: int) -> Table:
    """Time every row for about a second."""
    table = Table("what", "how", "median ms", "IQR ms", title=f"{threads} threads")
    for what, how, run in rows:
        times = Timer("run()", globals={"run": run}, num_threads=threads).blocked_autorange(
            min_run_time=1.0
        )
        table.add_row(what, how, f"{1e3 * times.median:.2f}", f"{1e3 * times.iqr:.2f}")
    return table


def epochs(device: torch.device, replicas: list[int]) -> Table:
    """Milliseconds per epoch and seed of both stages, by seeds trained at once."""
    table = Table("stage", "seeds at once", "ms per epoch and seed", title=f"Cora on {device.type}")
    for count in replicas:
        config = compose(["training.max_epochs=20", f"seeds={list(range(count))}"])
        graph = load_dataset(config.dataset, config.protocol, config.data_dir)
        tasks = [make_task(graph, config, seed) for seed in config.seeds]
        common = (config.training, device, lambda *_: None)
        teachers = train_teachers(tasks, config.teacher, *common)
        labels = [SoftLabels(teacher, "", cached=False, temperature=1.0) for teacher in teachers]
        students = train_students(tasks, labels, config, device, common[-1])
        for stage, trained in (("gcn teacher", teachers), ("infgrand student", students)):
            table.add_row(stage, str(count), f"{1e3 * trained[0].seconds / 20:.1f}")
    return table


def start_up(runs: int = 5) -> Table:
    """Wall time of questions that need no torch."""
    table = Table("command", "median s", "min s", "max s")
    for flag in ("--help", "--cfg=job"):
        seconds = []
        for _ in range(runs):
            started = time.perf_counter()
            command = [str(Path(sys.executable).parent / "gkd-train"), flag]
            subprocess.run(command, capture_output=True, check=True)
            seconds.append(time.perf_counter() - started)
        table.add_row(
            f"gkd-train {flag}",
            *(f"{value:.2f}" for value in (statistics.median(seconds), min(seconds), max(seconds))),
        )
    return table


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    config = compose()
    cora = load_dataset(config.dataset, config.protocol, config.data_dir)
    graph = batch_graphs([cora.adjacency], CPU)
    big = compose(["dataset=synthetic", "dataset.nodes=20000", "dataset.mean_degree=14"])
    dense_graph = load_dataset(big.dataset, big.protocol, big.data_dir)

    large = batch_graphs([dense_graph.adjacency], CPU)

    def rows() -> Iterator[Row]:
        yield from objective(large, classes=40)
        yield from first_layer(cora, graph, 512)
        yield from gradient(dense_graph, large, 256)
        yield from dropout(cora.num_nodes, 512)
        for heads, width in ((1, 7), (1, 512), (4, 64)):
            yield from message_passing(graph, heads, width)
            yield from message_passing(large, heads, width)

    console = Console()
    console.print(measure(rows(), arguments.threads))
    console.print(epochs(torch.device(arguments.device), [1, 5]))
    console.print(start_up())


if __name__ == "__main__":
    main()
