"""A sweep's folder: its plan and its failures. All processes of the sweep find it by GKD_SWEEP."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gkd_runner.config.schema import Config
from gkd_runner.errors import explain, on_one_line
from gkd_runner.results import identity
from gkd_runner.stored import StoredRun, read_runs

VARIABLE = "GKD_SWEEP"


@dataclass(frozen=True)
class Planned:
    """One cell of the plan: where its runs lie, by which key, and whether it was done before.

    ``key`` is empty for a cell whose graph could not be read.
    """

    label: str
    dataset: str
    folder: str
    key: str
    seeds: tuple[int, ...]
    done: bool

    def runs(self, since: float = 0.0) -> dict[int, StoredRun]:
        """For each seed that is done by now, the run that did it, if it began after ``since``."""
        runs = read_runs(Path(self.folder), f"*-{self.key[:8]}*") if self.key else []
        found = {seed.seed: run for run in runs if run.key == self.key for seed in run.seeds}
        return {
            seed: found[seed] for seed in self.seeds if seed in found and found[seed].began >= since
        }


@dataclass(frozen=True)
class Failure:
    """One cell that failed, by its number in the plan; ``log`` is the file with the traceback."""

    number: int
    identity: dict[str, str]
    seeds: tuple[int, ...]
    cause: str
    time: str
    log: Path

    @property
    def one_line(self) -> str:
        """The cause, shortened to a line."""
        return on_one_line(self.cause)


@dataclass(frozen=True)
class Sweep:
    """``<output_dir>/sweeps/<time>/``: ``plan.json``, and ``failed-<number>.json`` per failure.

    ``started`` is in seconds since the epoch; ``process`` began the sweep.
    """

    path: Path
    started: float
    process: int
    cells: tuple[Planned, ...]

    def label(self, number: int) -> str:
        """What tells cell ``number`` from the others."""
        return self.cells[number].label if number < len(self.cells) else f"cell {number}"

    def end(self) -> None:
        """Processes started from now on do not belong to the sweep."""
        os.environ.pop(VARIABLE, None)

    def record_failure(self, number: int, config: Config, error: Exception) -> Failure:
        """Write what failed, why, and the traceback."""
        log = self.path / f"failed-{number}.json"
        found: dict[str, Any] = {
            "number": number,
            "identity": identity(config),
            "seeds": tuple(config.seeds),
            "cause": explain(error) or f"{type(error).__name__}: {error}",
            "time": datetime.now().astimezone().isoformat(),
        }
        lines = "".join(traceback.format_exception(error)).splitlines()
        log.write_text(json.dumps({**found, "traceback": lines}, indent=2) + "\n", encoding="utf-8")
        return Failure(**found, log=log)

    def failures(self) -> list[Failure]:
        """All failures so far, in the plan's order."""
        return read_failures(self.path)


def begin(output_dir: Path, cells: Sequence[Planned]) -> Sweep:
    """Make the folder of a new sweep, and the sweep the current one of all child processes."""
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    path = output_dir.expanduser().absolute() / "sweeps" / stamp
    while path.exists():  # two sweeps in this second
        path = path.with_name(f"{stamp}-{os.urandom(2).hex()}")
    path.mkdir(parents=True)
    sweep = Sweep(path, time.time(), os.getpid(), tuple(cells))
    plan = {**asdict(sweep), "path": str(path), "command": sys.argv}
    (path / "plan.json").write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
    os.environ[VARIABLE] = str(path)
    return sweep


def current() -> Sweep | None:
    """The sweep that this process belongs to."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return None
    plan = json.loads((Path(path) / "plan.json").read_text(encoding="utf-8"))
    cells = tuple(Planned(**{**cell, "seeds": tuple(cell["seeds"])}) for cell in plan["cells"])
    return Sweep(Path(path), plan["started"], plan["process"], cells)


def read_failures(folder: Path) -> list[Failure]:
    """The failures of the sweep in ``folder``, in its plan's order."""
    found = []
    for log in folder.glob("failed-*.json"):
        raw = json.loads(log.read_text(encoding="utf-8"))
        del raw["traceback"]
        found.append(Failure(**{**raw, "seeds": tuple(raw["seeds"])}, log=log))
    return sorted(found, key=lambda failure: failure.number)
