"""A sweep's folder: its plan and its failures. All processes of the sweep read and write it."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gkd_runner.common.checksums import CHECKSUM, check_seal, sealed
from gkd_runner.common.errors import DamageError, LaunchError, explain, on_one_line
from gkd_runner.common.files import write_file
from gkd_runner.common.reading import reading, skipping
from gkd_runner.data.task import Replica
from gkd_runner.options.schema import Config
from gkd_runner.results.identity import NAMES, identity
from gkd_runner.results.stored import StoredRun, newest_runs


@dataclass(frozen=True)
class Planned:
    """One cell of the plan.

    Attributes:
        label: the overrides that distinguish the cell.
        dataset: the name of its graph.
        folder: the folder that holds its runs.
        key: the key of its runs; empty if its graph could not be read.
        replicas: its seeds and splits.
        done: all replicas had finished before the sweep began.
        again: it trains again all the same (``rerun=true``).
    """

    label: str
    dataset: str
    folder: str
    key: str
    replicas: tuple[Replica, ...]
    done: bool
    again: bool

    def runs(self) -> dict[Replica, StoredRun]:
        """The newest finished run of each replica that has one."""
        return newest_runs(Path(self.folder), self.key, self.replicas) if self.key else {}

    def runs_of(self, sweep_started: float) -> dict[Replica, StoredRun]:
        """The runs that count in this sweep; if the cell trains again, only those begun in it."""
        earliest = sweep_started if self.again else 0.0
        return {replica: run for replica, run in self.runs().items() if run.began >= earliest}


@dataclass(frozen=True)
class Failure:
    """One cell that failed, by its number in the plan.

    ``log`` is the file with the traceback; ``None`` where it could not be written.
    """

    number: int
    identity: dict[str, str]
    seeds: tuple[int, ...]
    cause: str
    time: str
    log: Path | None

    @property
    def one_line(self) -> str:
        """The cause, shortened to a line."""
        return on_one_line(self.cause)


@dataclass(frozen=True)
class Sweep:
    """``<output_dir>/sweeps/<time>/``: ``plan.json``, and ``failed-<number>.json`` per failure.

    ``started`` is in seconds since the epoch. ``unwritten`` has the failures of this process that
    could not be written, as on a full disk.
    """

    path: Path
    started: float
    cells: tuple[Planned, ...]
    unwritten: list[Failure] = field(default_factory=list)

    @property
    def runs_something(self) -> bool:
        """True if a cell of the plan is left to run, or a sweeper chooses the cells."""
        return not self.cells or not all(cell.done for cell in self.cells)

    def label(self, number: int) -> str:
        """The overrides that distinguish cell ``number``."""
        return self.cells[number].label if number < len(self.cells) else f"cell {number}"

    def record_failure(self, number: int, config: Config, error: Exception) -> Failure:
        """Write the configuration, the cause and the traceback of a failure.

        A failure that cannot be written is kept in ``unwritten``; without a plan, where nobody
        would notice that a cell is missing, the failure itself is raised.
        """
        log = self.path / f"failed-{number}.json"
        facts: dict[str, Any] = {
            "number": number,
            "identity": identity(config),
            "seeds": tuple(config.seeds),
            "cause": explain(error) or f"{type(error).__name__}: {error}",
            "time": datetime.now().astimezone().isoformat(),
        }
        lines = "".join(traceback.format_exception(error)).splitlines()
        told = sealed({**facts, "sweep": self.path.name, "traceback": lines})
        try:
            write_file(log, json.dumps(told, indent=2) + "\n")
        except OSError:
            if not self.cells:
                raise error from None
            self.unwritten.append(Failure(**facts, log=None))
            return self.unwritten[-1]
        return Failure(**facts, log=log)

    def failures(self) -> list[Failure]:
        """All failures so far, in the plan's order."""
        both = [*read_failures(self.path), *self.unwritten]
        return sorted(both, key=lambda failure: failure.number)


def begin(output_dir: Path, cells: Sequence[Planned]) -> Sweep:
    """Create the folder of a sweep; there is none where no cell is left to run."""
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    path = output_dir.expanduser().absolute() / "sweeps" / stamp
    while path.exists():  # two sweeps in this second
        path = path.with_name(f"{stamp}-{os.urandom(2).hex()}")
    sweep = Sweep(path, time.time(), tuple(cells))
    if sweep.runs_something:
        path.mkdir(parents=True)
        facts = {"path": str(path), "started": sweep.started, "command": sys.argv}
        plan = sealed({**facts, "cells": [asdict(cell) for cell in cells]})
        write_file(path / "plan.json", json.dumps(plan, indent=2) + "\n")
    return sweep


def read_sweep(path: Path) -> Sweep:
    """The sweep in folder ``path``, which ``begin`` has created.

    Raises ``LaunchError`` if its plan cannot be read.
    """
    file = path / "plan.json"
    with reading(file, "start the sweep again", LaunchError):
        plan = json.loads(file.read_text(encoding="utf-8"))
        check_seal(plan)
        if Path(plan["path"]).name != path.name:
            raise DamageError(f"it is the plan of the sweep {plan['path']}")
        cells = tuple(
            Planned(**{**cell, "replicas": tuple(Replica(*pair) for pair in cell["replicas"])})
            for cell in plan["cells"]
        )
        return Sweep(path, float(plan["started"]), cells)


def read_failures(folder: Path) -> list[Failure]:
    """The failures of the sweep in ``folder``, in its plan's order; damaged files are named."""
    failures = []
    for log in folder.glob("failed-*.json"):
        with skipping(log, "the failure is not counted"):
            raw = json.loads(log.read_text(encoding="utf-8"))
            if CHECKSUM in raw:  # earlier versions wrote none
                check_seal(raw)
                if (raw["sweep"], f"failed-{raw['number']}.json") != (folder.name, log.name):
                    raise DamageError(f"it is failure {raw['number']} of the sweep {raw['sweep']}")
            failures.append(_failure(raw, log))
    return sorted(failures, key=lambda failure: failure.number)


def _failure(raw: dict[str, Any], log: Path) -> Failure:
    """The failure that ``raw`` records. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
    names = {name: raw["identity"][name] for name in NAMES}
    if not all(isinstance(text, str) for text in (*names.values(), raw["cause"], raw["time"])):
        raise TypeError("names, cause and time are texts")
    datetime.fromisoformat(raw["time"])
    seeds = tuple(int(seed) for seed in raw["seeds"])
    return Failure(int(raw["number"]), names, seeds, raw["cause"], raw["time"], log)
