"""Whole commands, each in a fresh process: start-up, trackers, jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import gkd_runner
from bench.clock import Block, Sample

ROOT = Path(gkd_runner.__file__).resolve().parents[1]
SCRIPTS = Path(__file__).resolve().parents[1]

START_UP = {
    "gkd-train --help": ("train", "--help"),
    "gkd-train --cfg job": ("train", "--cfg", "job"),
    "gkd-tables --help": ("tables", "--help"),
}

START = """
import atexit, json, sys
path = sys.argv.pop(1)
facts = lambda: open(path, "w").write(json.dumps({"imports_torch": "torch" in sys.modules}))
atexit.register(facts)
from gkd_runner.cli.%s import main
main()
"""
"""Runs a command, and notes at its end whether it imported torch."""

WANDB = ("tracker=wandb", "tracker.mode=offline")

JOBS: dict[str, tuple[str, ...]] = {"gkd-train": (), "gkd-train teacher=gat": ("teacher=gat",)}
"""The jobs of five seeds whose whole CPU time counts."""

TRACKED = ("teacher.hidden_dim=16", "method=glnn", "preset=none", "seeds=[2022]")
"""A job whose training costs next to nothing."""

LENGTHS = (20, 420)
"""Epochs of two jobs, whose difference is the cost of the epochs alone."""

Facts = dict[str, dict[str, Any]]
"""Labels of the facts that commands report beside their time."""


def start_up(facts: Facts) -> dict[str, Block]:
    """Questions that need no training, and whether they import torch."""
    return {
        name: command_block(name, facts, ["-c", START % module], arguments)
        for name, (module, *arguments) in START_UP.items()
    }


def jobs(facts: Facts) -> dict[str, Block]:
    """Whole jobs with W&B offline, in fresh folders."""
    return {
        name: command_block(name, facts, ["-m", "bench.job"], [*more, *WANDB], trains=True)
        for name, more in JOBS.items()
    }


def tracked(facts: Facts) -> dict[str, Block]:
    """Jobs of two lengths with and without W&B."""
    blocks = {}
    for epochs in LENGTHS:
        length = (f"training.max_epochs={epochs}", f"training.patience={epochs}")
        for tracker, options in {"none": ("tracker=none",), "wandb offline": WANDB}.items():
            name = f"tracker={tracker}, {epochs} epochs"
            arguments = [*TRACKED, *length, *options]
            blocks[name] = command_block(name, facts, ["-m", "bench.job"], arguments, trains=True)
    return blocks


COMMANDS: dict[str, Callable[[Facts], dict[str, Block]]] = {
    "start-up": start_up,
    "tracker": tracked,
    "jobs": jobs,
}


def command_block(
    name: str,
    facts: Facts,
    program: Sequence[str],
    arguments: Sequence[str],
    *,
    trains: bool = False,
) -> Block:
    """Runs Python with a program and its arguments, and keeps what it tells in ``facts[name]``.

    A program that ``trains`` gets an output folder of its own.
    """

    def block() -> list[Sample]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "facts.json"
            options = (f"output_dir={folder}",) if trains else ()
            sample = run([*program, str(path), *arguments, *options], Path(folder))
            told = json.loads(path.read_text(encoding="utf-8"))
            if "training_cpu_seconds" in told:
                told["training_share"] = told["training_cpu_seconds"] / sample.cpu
            facts[name] = told
            return [sample]

    return block


def run(arguments: Sequence[str], folder: Path) -> Sample:
    """CPU seconds of Python with these arguments and of all processes that it waited for.

    Raises ``CalledProcessError`` if it fails.
    """
    paths = [str(ROOT), str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = perf_counter()
    with (folder / "output.txt").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
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
            raise subprocess.CalledProcessError(process.returncode, "python", output.read())
    return Sample(usage.ru_utime + usage.ru_stime, wall)
