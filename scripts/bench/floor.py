"""The floor of an epoch: the products that it cannot avoid, and Adam's update.

Propagation is measured apart. Activations, dropout, losses and evaluation are not part of it. Every
product writes into a buffer that is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from bench.forms import Factored, FirstLayer, fastest, raw_forms
from bench.needed import Hop, Layer, Pass, layer_sizes, receptive_field, row_pass, teacher_pass
from bench.plain.models import operator
from bench.plain.propagate import csr
from bench.plain.train import student_features
from bench.workloads import Workload
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config

Run = Callable[[], None]


@dataclass
class Floor:
    """The least work of an epoch, piece by piece, and the sizes of these pieces."""

    first: list[Run] = field(default_factory=list)
    hidden: list[Run] = field(default_factory=list)
    adam: list[Run] = field(default_factory=list)
    propagation: list[Run] = field(default_factory=list)
    sizes: dict[str, Any] = field(default_factory=dict)

    def products(self) -> dict[str, Run]:
        """The pieces of the floor, by name."""
        pieces = {"first layer": self.first, "hidden products": self.hidden, "Adam": self.adam}
        return {name: _all(runs) for name, runs in pieces.items()}

    def propagated(self) -> Run:
        """Every propagation of an epoch."""
        return _all(self.propagation)


def _all(runs: Sequence[Run]) -> Run:
    def run() -> None:
        for each in runs:
            each()

    return run


def teacher_floor(
    workload: Workload, config: Config, device: torch.device, *, needed: bool
) -> Floor:
    """The floor of a teacher's epoch on all rows, or on those that labels and validation need."""
    graph, seen = workload.task.training_graph, workload.task.seen
    sizes = layer_sizes(config.teacher, graph.num_features, graph.num_classes)
    gat, layers = config.teacher.name == "gat", len(sizes) - 1
    everything = np.arange(graph.num_nodes)
    matrix = operator("gcn" if gat else config.teacher.name, graph.adjacency)
    floor = Floor(adam=[_adam(sizes, device)])
    for name, nodes in (("training", seen.train), ("validation", seen.val)):
        field_ = (
            receptive_field(graph.adjacency, nodes, layers)
            if needed
            else [everything] * (layers + 1)
        )
        wanted = teacher_pass(field_, sizes, gat, trains=name == "training")
        _add_teacher(floor, name, wanted, matrix, workload, sizes[1], device, needed=needed)
    return floor


def _add_teacher(
    floor: Floor,
    name: str,
    wanted: Pass,
    matrix: sp.csr_array,
    workload: Workload,
    width: int,
    device: torch.device,
    *,
    needed: bool,
) -> None:
    x = workload.task.training_graph.features
    forms = raw_forms(x[wanted.first], device)
    multiplied = []
    if needed and wanted.propagated is not None:
        multiplied = raw_forms(matrix[wanted.propagated] @ x, device)
    layer = fastest([*forms, *multiplied], width, wanted.trains, device)
    propagates = layer.form in forms
    hops = wanted.hops if propagates else wanted.hops[1:]
    _add(floor, name, layer, wanted, device)
    floor.propagation += [_hop(hop, matrix, wanted.trains, device) for hop in hops]
    floor.sizes[name]["first_layer_propagated_beforehand"] = not propagates


def student_floor(workload: Workload, config: Config, device: torch.device) -> Floor:
    """The floor of a student's epoch: all rows if it distils, else those with labels.

    Validation needs its own rows, or all if the method watches the student on all of them.
    """
    graph, seen = workload.task.training_graph, workload.task.seen
    sizes = layer_sizes(config.student, graph.num_features, graph.num_classes)
    everything = np.arange(graph.num_nodes)
    distils = config.method.lam < 1
    watches = distils and METHODS[config.method.name].watches_student
    parts = {
        "training": everything if distils else seen.train,
        "validation": everything if watches else seen.val,
    }
    floor = Floor(adam=[_adam(sizes, device)])
    for name, rows in parts.items():
        wanted = row_pass(rows, sizes, trains=name == "training")
        layer = _student_layer(workload, config, rows, sizes[1], wanted.trains, device)
        _add(floor, name, layer, wanted, device)
    return floor


def _student_layer(
    workload: Workload,
    config: Config,
    rows: np.ndarray,
    width: int,
    trains: bool,
    device: torch.device,
) -> FirstLayer:
    graph = workload.task.training_graph
    hops = getattr(config.method, "propagation_hops", 0)
    if not hops:
        return fastest(raw_forms(graph.features[rows], device), width, trains, device)
    x = student_features(graph, config, torch.device("cpu")).numpy()
    forms = raw_forms(x[rows], device)
    del x
    if len(rows) == graph.num_nodes:
        loops = config.method.self_loops
        looped = graph.adjacency + loops * sp.eye_array(graph.num_nodes, format="csr")
        root = sp.diags_array(np.asarray(looped.sum(axis=1)).ravel() ** -0.5)
        matrix = sp.csr_array(root @ looped @ root)
        forms += [Factored(raw, matrix, hops, device) for raw in raw_forms(graph.features, device)]
    return fastest(forms, width, trains, device)


def _add(floor: Floor, name: str, layer: FirstLayer, wanted: Pass, device: torch.device) -> None:
    floor.first.append(layer)
    floor.hidden += [_product(each, wanted.trains, device) for each in wanted.hidden]
    floor.sizes[name] = {
        "first_layer": [*layer.form.shape],
        "first_layer_form": layer.form.name,
        "hidden": [[each.rows, each.fan_in, each.fan_out] for each in wanted.hidden],
        "hops": [[len(hop.rows), len(hop.columns), hop.width] for hop in wanted.hops],
    }


def _product(layer: Layer, trains: bool, device: torch.device) -> Run:
    """``h W``, and for training both of its gradients."""
    shape = layer.rows, layer.fan_in, layer.fan_out
    h, weight = torch.randn(shape[:2], device=device), torch.randn(shape[1:], device=device)
    out = torch.empty(shape[0], shape[2], device=device)
    grad = torch.randn_like(out) if trains else None
    of_h, of_weight = torch.empty_like(h), torch.empty_like(weight)

    def run() -> None:
        torch.mm(h, weight, out=out)
        if grad is not None:
            torch.mm(h.T, grad, out=of_weight)
            torch.mm(grad, weight.T, out=of_h)

    return run


def _hop(hop: Hop, matrix: sp.csr_array, trains: bool, device: torch.device) -> Run:
    """Propagation from the columns to the rows, and for training back."""
    block = matrix[hop.rows][:, hop.columns]
    forward = csr(block, device)
    backward = csr(sp.csr_array(block.T), device) if trains else None
    x = torch.randn(len(hop.columns), hop.width, device=device)
    out = torch.empty(len(hop.rows), hop.width, device=device)

    def run() -> None:
        torch.addmm(out, forward, x, beta=0, out=out)
        if backward is not None:
            torch.addmm(x, backward, out, beta=0, out=x)

    return run


def _adam(sizes: Sequence[int], device: torch.device) -> Run:
    """One fused update of all weights and biases."""
    shapes = [shape for a, b in pairwise(sizes) for shape in ((a, b), (b,))]
    parameters = [_with_gradient(torch.randn(shape, device=device)) for shape in shapes]
    optimizer = torch.optim.Adam(parameters, lr=1e-6, weight_decay=1e-6, fused=True)
    return lambda: (optimizer.step(), None)[1]


def _with_gradient(parameter: Tensor) -> Tensor:
    parameter.requires_grad_()
    parameter.grad = torch.randn_like(parameter)
    return parameter
