"""Stages of graphs that leave no room for a second stage: each runs in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console

from bench import memory
from bench.clock import Spread
from bench.measure import Wanted, recorded
from bench.results import OURS, Key, Line, Results
from bench.shapes import SHAPES

TEACHER = "sage"
"""The teacher that is trained on drawn neighbours (Hamilton et al., 2017)."""

METHODS = ("glnn", "hgmd-weight", "infgrand")
ESTIMATED = {"infgrand": ("method.smallest_cosine=estimated",)}
"""An exact search among all pairs of nodes with signed features would take hours."""

BATCHES = (1_000, 3_200, 10_000, 32_000, 100_000)
SCALES = (0.004, 0.0126, 0.04, 0.126, 0.4)
SCALE = 0.04
"""Of products-shape where the batch grows: 98,000 nodes, 2.5 million edges."""

BATCH = 4096
"""Where the nodes grow."""

MEMORY = "memory"
AXES = ("batch size (98,000 nodes)", "nodes (50 neighbours each, batches of 4,096)")
"""The quantity that grows while memory is measured."""


def whole(name: str, wanted: Wanted, results: Results, console: Console) -> None:
    """One epoch of a teacher with its soft labels, and of each method's student."""
    for stage, line in stages(name, wanted, results, console, METHODS):
        key = Key(f"{name}, scale {wanted.scale:g}", stage, OURS)
        results.lines.append(replace(line, key=key))


def growing(wanted: Wanted, results: Results, console: Console) -> None:
    """Peak memory against the size of a batch, and against the number of nodes."""
    nodes = SHAPES["ogbn-products"].nodes
    points = [(AXES[0], batch, batch, SCALE) for batch in BATCHES]
    points += [(AXES[1], round(nodes * scale), BATCH, scale) for scale in SCALES]
    for axis, value, batch, scale in points:
        options = (*wanted.options, f"training.batch_size={batch}")
        here = replace(wanted, scale=scale, options=options)
        for stage, line in stages("products-shape", here, results, console, ("glnn",)):
            key = Key(f"{MEMORY}: {axis}", stage, str(value))
            results.lines.append(replace(line, key=key))


def stages(
    name: str, wanted: Wanted, results: Results, console: Console, methods: Sequence[str]
) -> Iterator[tuple[str, Line]]:
    """The cost of each stage, which is a process that trains one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        base = memory.Request(
            name, wanted.scale, "teacher", TEACHER, "glnn", False, folder, str(wanted.device)
        )
        base = replace(base, epochs=1, keeps=True, options=wanted.options)
        requests = {f"teacher {TEACHER}": base}
        for method in methods:
            options = (*wanted.options, *ESTIMATED.get(method, ()))
            requests[f"student {method}"] = replace(
                base, stage="student", method=method, keeps=False, options=options
            )
        for stage, request in requests.items():
            with recorded(name, stage, results, console):
                yield stage, _line(memory.measure(request))


def _line(spent: memory.Spent) -> Line:
    return Line(
        Key("", "", ""),
        "process",
        Spread.of([spent.cpu_seconds]),
        Spread.of([spent.wall_seconds]),
        (spent.cpu_seconds,),
        spent.peak_bytes,
        spent.start_bytes,
    )
