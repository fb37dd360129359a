"""Runs tracked by W&B offline, read back with W&B's own reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class TrackedRun:
    """One run: what W&B shows of it, and the rows that were logged, without W&B's own columns."""

    shown: dict[str, Any]
    opened: dict[str, Any]
    defined: dict[str, dict[str, Any]]
    rows: list[dict[str, float]]
    summary: dict[str, Any]

    def curve(self, x: str, y: str) -> list[tuple[float, float]]:
        """The points of a line plot."""
        return [(row[x], row[y]) for row in self.rows if x in row and y in row]


def offline_env(home: Path) -> dict[str, str]:
    """An environment without keys and without a network, whose home is ``home``."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {
        "HOME": str(home),
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
        "NETRC": f"{home}/none",
        "WANDB_CONFIG_DIR": f"{home}/config",
        "WANDB_CACHE_DIR": f"{home}/cache",
        "WANDB_DATA_DIR": f"{home}/data",
        "WANDB_ERROR_REPORTING": "false",
        "HF_HOME": f"{home}/hf",
        "HF_HUB_OFFLINE": "1",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }


def python(*arguments: str, env: dict[str, str], cwd: Path) -> str:
    """What Python prints in a process of its own; backends read their settings once."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_runs(folder: Path, env: dict[str, str]) -> dict[str, TrackedRun]:
    """All offline runs of an output folder, by name."""
    runs = [_read(path, env) for path in sorted((folder / "wandb").glob("offline-run-*"))]
    return {run.shown["name"]: run for run in runs}


def _read(path: Path, env: dict[str, str]) -> TrackedRun:
    leet = ("-m", "wandb", "leet", "inspect", "--json")
    shown = json.loads(python(*leet, "--summary", str(path), env=env, cwd=path))
    lines = python(*leet, str(path), env=env, cwd=path).splitlines()
    records = [json.loads(line) for line in lines]
    found: dict[str, list[Any]] = {
        kind: [record[kind] for record in records if record["type"] == kind]
        for kind in ("run", "metric", "history")
    }
    return TrackedRun(
        shown=shown,
        opened=found["run"][0],
        defined={metric["name"]: metric for metric in found["metric"]},
        rows=[_own(row["item"]) for row in found["history"]],
        summary=_own(shown["summary"]),
    )


def _own(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name[0] != "_"}
