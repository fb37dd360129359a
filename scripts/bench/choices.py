"""Choices that the implementation rests on, each beside its usual alternative."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from dgl_oracle import DglKernels

from bench.clock import Block, Effort, repeated
from bench.forms import Sparse
from bench.workloads import load_workload
from gkd_runner.data.graph import GraphData
from gkd_runner.data.synthetic import synthetic
from gkd_runner.graph import kernels
from gkd_runner.graph.batch import GraphBatch, batch_graphs
from gkd_runner.methods.objective import SoftTarget, distillation
from gkd_runner.models.layers import activate
from gkd_runner.models.streams import Streams

EFFORT = Effort(rounds=3, epochs=10, seconds=5.0)
LARGE = {"nodes": 20_000, "mean_degree": 14.0}
"""A made-up graph with 300,000 edges, counting both directions and self-loops."""

CLASSES = 40
"""As many as in ogbn-arxiv."""

MESSAGES = ((1, 7), (1, 512), (4, 64))
"""Heads and width of messages: an output layer, a hidden layer, attention."""

Choices = dict[str, dict[str, Block]]


def choices(device: torch.device) -> Choices:
    """Every choice and its contenders."""
    cora = load_workload("cora").graph
    large = synthetic(**LARGE)  # type: ignore[arg-type]
    batches = {g.name: batch_graphs([g.adjacency], device) for g in (cora, large)}
    made = {
        **objective(batches[large.name], device),
        **gradient(large, 256, device),
        **dropout(cora.num_nodes, 512, device),
    }
    for batch in batches.values():
        made |= messages(batch, device)
    return made


def objective(graph: GraphBatch, device: torch.device) -> Choices:
    """The distillation loss edge by edge, and aggregated: forward and backward."""
    nodes = graph.nodes
    logits = torch.randn(1, nodes, CLASSES, device=device, requires_grad=True)
    teacher = torch.softmax(torch.randn(nodes, CLASSES, device=device), 1)

    def by_edge() -> None:
        log_p = torch.log_softmax(logits[0], 1)[graph.receivers]
        F.kl_div(log_p, teacher[graph.senders], reduction="sum").backward()

    mass = torch.zeros_like(teacher).index_add_(0, graph.receivers, teacher[graph.senders])
    target = SoftTarget(mass[None], torch.zeros(1, device=device))

    def aggregated() -> None:
        distillation(logits, target, 1.0).sum().backward()  # type: ignore[no-untyped-call]

    what = f"loss over {graph.num_edges:,} edges, {CLASSES} classes, forward and backward"
    return {what: _blocks({"edge by edge": by_edge, "aggregated": aggregated}, device)}


def gradient(data: GraphData, width: int, device: torch.device) -> Choices:
    """The gradient of a sparse first layer, all rows at once and block by block."""
    grad = torch.randn(data.num_nodes, width, device=device)
    out = torch.empty(data.num_features, width, device=device)
    forms = {f"{rows:,} rows at once": rows for rows in (data.num_nodes, 1024)}
    runs = {
        name: partial(Sparse(data.features, device, rows).gradient, grad, out)
        for name, rows in forms.items()
    }
    what = f"gradient of a sparse first layer, {data.num_nodes:,} nodes, width {width}"
    return {what: _blocks(runs, device)}


def dropout(nodes: int, width: int, device: torch.device) -> Choices:
    """Bias, ReLU and dropout by torch, and by 16-bit words of a fast generator."""
    x, bias = torch.randn(1, nodes, width, device=device), torch.zeros(1, 1, width, device=device)
    streams = Streams([0], "student dropout", device)
    runs = {
        "F.dropout(F.relu)": lambda: F.dropout(F.relu(x + bias), 0.5),
        "models.layers.activate": lambda: activate(x.clone(), bias, 0.5, streams),
    }
    return {f"bias, ReLU and dropout, {nodes:,} x {width}, forward": _blocks(runs, device)}


def messages(graph: GraphBatch, device: torch.device) -> Choices:
    """Neighbour sums and dot products along edges by torch and, where it is installed, by DGL."""
    backends = {"torch CSR": kernels, **({"DGL": DglKernels(graph)} if _has_dgl(device) else {})}
    made: Choices = {}
    for heads, width in MESSAGES:
        values = torch.rand(graph.num_edges, heads, device=device)
        x = torch.randn(graph.nodes, heads, width, device=device)
        what = f"{graph.num_edges:,} edges, {heads} heads, width {width}"
        sums = {name: partial(b.spmm, graph, values, x) for name, b in backends.items()}
        dots = {name: partial(b.sddmm, graph, x, x) for name, b in backends.items()}
        made[f"neighbour sums, {what}, forward"] = _blocks(sums, device)
        made[f"dot products, {what}, forward"] = _blocks(dots, device)
    return made


def _has_dgl(device: torch.device) -> bool:
    """DGL's wheels on PyPI have no GPU kernels, and there are none for the newest Python."""
    return device.type == "cpu" and find_spec("dgl") is not None


def _blocks(runs: dict, device: torch.device) -> dict[str, Block]:
    return {name: repeated(run, EFFORT, device) for name, run in runs.items()}
