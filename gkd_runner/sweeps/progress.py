"""Progress of a sweep, read from disk, so that each of its processes can report it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from gkd_runner.sweeps.folder import Planned, Sweep


@dataclass(frozen=True)
class Progress:
    """Counts of cells; ``seconds_left`` is unknown until the sweep has finished a cell."""

    done: int
    failed: int
    total: int
    seconds_left: float | None

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        left = f", about {duration(self.seconds_left)} left" if self.seconds_left else ""
        return f"{self.done} of {self.total} cells done{failed}{left}"


def progress(sweep: Sweep) -> Progress:
    """Look up every cell on disk."""
    failed = {failure.number for failure in sweep.failures()}
    costs: dict[int, float] = {}  # seconds of the cells done since the sweep began
    for number, cell in enumerate(sweep.cells):
        runs = {} if cell.done else cell.runs_of(sweep.started)
        if runs and runs.keys() >= set(cell.replicas):
            distinct = {run.path: run for run in runs.values()}.values()
            costs[number] = sum(sum(run.seconds.values()) for run in distinct)
    done = costs.keys() | {number for number, cell in enumerate(sweep.cells) if cell.done}
    left = [c for n, c in enumerate(sweep.cells) if n not in done and n not in failed]
    estimate = _seconds_left(sweep, left, costs) if costs else None
    return Progress(len(done), len(failed), len(sweep.cells), estimate if left else None)


def _seconds_left(sweep: Sweep, left: list[Planned], costs: Mapping[int, float]) -> float:
    """Estimate the time left from the finished cells, those of the same graph if there are any."""
    by_dataset: dict[str, list[float]] = {}
    for number, seconds in costs.items():
        by_dataset.setdefault(sweep.cells[number].dataset, []).append(seconds)
    spent = list(costs.values())
    pace = (time.time() - sweep.started) / max(sum(spent), 1e-9)
    expected = (by_dataset.get(cell.dataset, spent) for cell in left)
    return pace * sum(sum(like) / len(like) for like in expected)


def duration(seconds: float) -> str:
    """``40 s``, ``12 min`` or ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
