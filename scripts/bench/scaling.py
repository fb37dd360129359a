"""Cost against size: nodes, edges, classes, hidden width and seeds, over two orders of magnitude.

One size grows and the others stay. Features are signed and dense, as in OGB's graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from bench import epochs
from bench.clock import Block, Effort, repeated
from bench.results import Key, Line, Results
from bench.shapes import Shape, shaped_graph
from bench.workloads import OGB, Workload
from gkd_runner.data.protocols import make_task
from gkd_runner.graph.influence import node_influence

WORKLOAD = "scaling"
INFLUENCE = "influence, exact"
EFFORT = Effort(rounds=1, epochs=15, seconds=10.0)
FEATURES = 100

FITTED = 3
"""The largest sizes of an axis, which span a decade and through which the exponent is fitted.

Below them an epoch's fixed cost of some milliseconds shows.
"""


@dataclass(frozen=True)
class Size:
    """One size of a graph and its models."""

    nodes: int = 10_000
    edges: int = 50_000
    classes: int = 10
    width: int = 64
    seeds: int = 1

    def workload(self) -> Workload:
        """A made-up graph with half of its nodes in training and a fifth in validation."""
        parts = (self.nodes // 2, self.nodes // 5, self.nodes // 5)
        shape = Shape(self.nodes, self.edges, FEATURES, self.classes, None, parts)
        options = (*OGB, "teacher.num_layers=2", f"teacher.hidden_dim={self.width}")
        return Workload(WORKLOAD, "ogbn-arxiv", options, shaped_graph(WORKLOAD, shape))


SMALL = Size(nodes=1_000, edges=5_000, width=16)

AXES: dict[str, list[Size]] = {
    "nodes": [Size(n, 5 * n) for n in (1_000, 3_200, 10_000, 32_000, 100_000)],
    "edges": [Size(edges=e) for e in (10_000, 32_000, 100_000, 320_000, 1_000_000)],
    "classes": [Size(classes=c) for c in (4, 13, 40, 130, 400)],
    "width": [Size(width=w) for w in (16, 48, 160, 512, 1_600)],
    "seeds": [replace(SMALL, seeds=s) for s in (1, 3, 10, 32, 100)],
}
"""The sizes of each axis. Edges grow with nodes, at ten neighbours per node."""

NAMES = {
    "nodes": "nodes (10 neighbours each)",
    "edges": "undirected edges (10,000 nodes)",
    "classes": "classes",
    "width": "hidden width",
    "seeds": "seeds at once (1,000 nodes)",
}
WITH_INFLUENCE = ("nodes", "edges")


def measured(
    teachers: Sequence[str],
    methods: Sequence[str],
    axes: Sequence[str],
    device: torch.device,
    results: Results,
) -> Iterator[str]:
    """Measure every size of the axes; yield what is measured next."""
    for axis in axes:
        for size in AXES[axis]:
            yield f"{getattr(size, axis):,} {axis}"
            workload = size.workload()
            results.workloads.setdefault(f"{WORKLOAD}: {axis}", {})
            for part, block in _blocks(workload, size, teachers, methods, device):
                _add(results, axis, part, size, block)
            if axis in WITH_INFLUENCE:
                run = partial(node_influence, workload.graph, 2.0)
                block = repeated(run, replace(EFFORT, epochs=1), device, warm=False)
                _add(results, axis, INFLUENCE, size, block)


def _add(results: Results, axis: str, part: str, size: Size, block: Block) -> None:
    key = Key(f"{WORKLOAD}: {axis}", part, str(getattr(size, axis)))
    per = "call" if part == INFLUENCE else "epoch"
    results.lines.append(Line.of(key, per, [block()]))


def _blocks(
    workload: Workload,
    size: Size,
    teachers: Sequence[str],
    methods: Sequence[str],
    device: torch.device,
) -> Iterator[tuple[str, Block]]:
    config = workload.config()
    tasks = [make_task(workload.graph, config, seed) for seed in range(size.seeds)]
    for name in teachers:
        yield (
            f"teacher {name}",
            epochs.teacher_block(tasks, workload.config(name), EFFORT, device),
        )
    taught = epochs.taught(tasks, config, 2, device)
    for method in methods:
        chosen = workload.config("gcn", method)
        yield f"student {method}", epochs.student_block(tasks, taught, chosen, EFFORT, device)


def curves(results: Results, axis: str) -> Mapping[str, list[tuple[float, float]]]:
    """Per part, its sizes along an axis with the CPU seconds of each."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in results.lines:
        if line.key.workload == f"{WORKLOAD}: {axis}" and line.cpu:
            point = float(line.key.contender), line.cpu.median
            found.setdefault(line.key.part, []).append(point)
    return found


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of log cost over log size, through the largest ``FITTED`` sizes."""
    sizes, costs = np.log(np.array(sorted(points)[-FITTED:])).T
    return float(np.polyfit(sizes, costs, 1)[0])
