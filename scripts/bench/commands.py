"""Whole commands, each in a fresh process: start-up, trackers, jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import gkd_runner
from bench.clock import Block, Sample

ROOT = Path(gkd_runner.__file__).resolve().parents[1]

START_UP = {
    "gkd-train --help": ("train", "--help"),
    "gkd-train --cfg job": ("train", "--cfg", "job"),
    "gkd-tables": ("tables", "--help"),
}

JOBS = {
    "gkd-train": (),
    "gkd-train teacher=gat": ("teacher=gat",),
}
"""The jobs of five seeds whose whole CPU time counts."""

TRACKED = ("teacher.hidden_dim=16", "method=glnn", "preset=none", "seeds=[2022]")
"""A job whose training costs next to nothing."""

WANDB = ("tracker=wandb", "tracker.mode=offline")

LENGTHS = (20, 420)
"""Epochs of two jobs, whose difference is the cost of epochs alone."""


def start_up() -> dict[str, Block]:
    """Questions that need no training."""
    return {name: _block(command) for name, command in START_UP.items()}


def jobs() -> dict[str, Block]:
    """Whole jobs with W&B offline, in fresh folders."""
    return {name: _block(("train", *more, *WANDB), trains=True) for name, more in JOBS.items()}


def tracked() -> dict[str, Block]:
    """Jobs of two lengths with and without W&B."""
    trackers = {
        "none": ("tracker=none",),
        "wandb offline": ("tracker=wandb", "tracker.mode=offline"),
    }
    return {
        f"tracker={name}, {length} epochs": _block(
            (
                "train",
                *TRACKED,
                *options,
                f"training.max_epochs={length}",
                f"training.patience={length}",
            ),
            trains=True,
        )
        for length in LENGTHS
        for name, options in trackers.items()
    }


def _block(command: Sequence[str], *, trains: bool = False) -> Block:
    def block() -> list[Sample]:
        with tempfile.TemporaryDirectory() as folder:
            options = (f"output_dir={folder}",) if trains else ()
            return [run(command[0], [*command[1:], *options], Path(folder))]

    return block


def run(name: str, arguments: Sequence[str], folder: Path) -> Sample:
    """CPU seconds of a command and of the processes that it waited for; wall seconds.

    Raises ``CalledProcessError`` if the command fails.
    """
    code = f"from gkd_runner.cli.{name} import main; main()"
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = perf_counter()
    with (folder / "output.txt").open("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise subprocess.CalledProcessError(
                process.returncode, [name, *arguments], output.read()
            )
    return Sample(usage.ru_utime + usage.ru_stime, wall)


def training_seconds(folder: Path) -> float:
    """Wall seconds of both stages of the only run in an output folder."""
    (result,) = folder.rglob("result.json")
    return sum(json.loads(result.read_text(encoding="utf-8"))["seconds"].values())
