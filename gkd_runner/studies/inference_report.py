"""What the inference study found: its lines, its table and its sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from rich.table import Table

from gkd_runner.reporting.compare import TEACHERS, in_order
from gkd_runner.reporting.references import FEWEST_GRAPHS
from gkd_runner.studies.display import study_table
from gkd_runner.studies.lines import Line

BATCHES = (1, 32, 1024)
"""Nodes per request; sizes that a graph has too few for fall out."""

ALL = "all"
"""All test nodes at once."""

SIZES = (*map(str, BATCHES), ALL)

STUDENTS = ("mlp", "infgrand-mlp", "infgrand-mlp-on-request")

CLAIMED = {"sage": 8.56, "gat": 13.89}
"""How many times faster than these GNNs the student is in the InfGraND article,"""

LEAST = 6
"""and how many times at least against any GNN (6 to 14)."""


@dataclass(frozen=True, kw_only=True)
class InferenceLine(Line):
    """One model at one batch size; seconds are medians and quartiles over requests.

    ``size`` is one of ``SIZES`` and ``nodes`` what that is on this graph; ``layers`` and
    ``hidden_dim`` are the model's; ``peak_bytes`` and ``nodes_read`` are per request.
    """

    SCOPE: ClassVar = ("dataset", "protocol", "setting", "teacher", "threads", "device")
    IDENTITY: ClassVar = ("model", "size")

    dataset: str
    protocol: str
    setting: str
    teacher: str
    model: str
    layers: int
    hidden_dim: int
    size: str
    nodes: int
    median_seconds_per_node: float
    low: float
    high: float
    peak_bytes: int
    nodes_read: float
    repeats: int
    threads: int
    device: str
    commit: str

    @property
    def machine(self) -> str:
        """What it was measured on."""
        return f"{self.threads} thread{'' if self.threads == 1 else 's'} of {self.device}"


def table(lines: Sequence[InferenceLine]) -> Table:
    """Per GNN and batch size: geometric means over graphs."""
    shown = study_table(
        "time per node, nodes read and peak memory per request: geometric means over graphs;"
        " infgrand reads features propagated beforehand, or propagates on request",
        ("GNN", "batch"),
        ("GNN\nµs", "mlp\nµs", "infgrand\nµs", "on request\nµs", "mlp is\nfaster", "GNN\nreads",
         "GNN\nMB", "mlp\nMB"),
    )  # fmt: skip
    for gnn in in_order((line.teacher for line in lines), TEACHERS):
        for size in SIZES:
            mine = [line for line in lines if (line.teacher, line.size) == (gnn, size)]
            if not mine:
                continue
            micros = (_micros(mine, model) for model in (gnn, *STUDENTS))
            read = _mean(line.nodes_read for line in mine if line.model == gnn)
            faster = f"{_mean(speed_ups(lines, gnn, size)):.1f} x"
            memory = (_megabytes(mine, model) for model in (gnn, "mlp"))
            last = size == SIZES[-1]
            shown.add_row(gnn, size, *micros, faster, f"{read:.0f}", *memory, end_section=last)
    return shown


def _megabytes(lines: Sequence[InferenceLine], model: str) -> str:
    found = (max(1, line.peak_bytes) for line in lines if line.model == model)
    return f"{_mean(found) / 1e6:.2g}"


def _micros(lines: Sequence[InferenceLine], model: str) -> str:
    seconds = (line.median_seconds_per_node for line in lines if line.model == model)
    return f"{1e6 * _mean(seconds):.1f}"


def sentence(lines: Sequence[InferenceLine]) -> str:
    """How much faster the students were, beside the article's claim."""
    gnns = in_order((line.teacher for line in lines), TEACHERS)
    parts = []
    for size, name in (("1", "one node at a time"), (ALL, "all test nodes at once")):
        ratios = {gnn: found for gnn in gnns if (found := speed_ups(lines, gnn, size))}
        if ratios:
            told = ", ".join(
                f"{_mean(found):.1f} times faster than {gnn}"
                f" ({_mean(speed_ups(lines, gnn, size, 'infgrand-mlp') or [math.nan]):.1f})"
                for gnn, found in ratios.items()
            )
            parts.append(f"{name} it is {told}, so that the claim {_verdict(ratios)}")
    if not parts:
        return "Not measured yet: a GNN and its student at the same batch size."
    return (
        "The MLP per node (in brackets InfGraND's, on features propagated beforehand; geometric"
        f" means over graphs): {'; '.join(parts)}. The InfGraND article claims {CLAIMED['sage']}"
        f" against GraphSAGE, {CLAIMED['gat']} against GAT, and {LEAST} to 14 in all."
    )


def _verdict(ratios: Mapping[str, Sequence[float]]) -> str:
    if min(map(len, ratios.values())) < FEWEST_GRAPHS:
        return f"cannot be judged on fewer than {FEWEST_GRAPHS} graphs"
    short = [gnn for gnn, found in ratios.items() if _mean(found) < CLAIMED.get(gnn, LEAST)]
    return f"does not hold for {', '.join(short)}" if short else "holds"


def speed_ups(
    lines: Sequence[InferenceLine], gnn: str, size: str, student: str = "mlp"
) -> list[float]:
    """How many times faster a student is than ``gnn``, for each graph that both were timed on."""
    mine = [line for line in lines if (line.teacher, line.size) == (gnn, size)]
    students = {_task(line): line for line in mine if line.model == student}
    return [
        line.median_seconds_per_node / students[_task(line)].median_seconds_per_node
        for line in mine
        if line.model == gnn and _task(line) in students
    ]


def _task(line: InferenceLine) -> tuple[str, ...]:
    return line.dataset, line.protocol, line.setting, line.machine


def _mean(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(values)))))
