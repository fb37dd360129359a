"""The single train entrypoint: config -> graph -> tasks -> soft labels -> students -> result."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from gkd_runner.config.schema import Config

MAIN_PROCESS = os.getpid()
FAILED_CELLS: list[str] = []
"""Cells of this process's sweep that failed, with their causes."""

if TYPE_CHECKING:
    import torch
    from omegaconf import DictConfig

    from gkd_runner.data.graph import GraphData
    from gkd_runner.results import RunResult


def train(config: Config) -> RunResult:
    """Run one job: train (or fetch) a teacher per seed, distil a student from each, record it.

    Seeds that an earlier run of the same key has finished are read from disk, unless
    ``config.rerun``. Raises ``GkdError`` for data, configurations and training that cannot work.
    """
    from gkd_runner.config.build import data_dir
    from gkd_runner.data.datasets import load_dataset
    from gkd_runner.environment import choose_device
    from gkd_runner.locks import held
    from gkd_runner.stored import finished, lock_file, merged
    from gkd_runner.tracking.record import config_key

    device = choose_device(config.device)
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    key = config_key(config, graph, device)
    with held(lock_file(config, key), f"runs the configuration {key[:8]}"):
        done = {} if config.rerun else finished(config, key)
        left = [seed for seed in config.seeds if seed not in done]
        fresh = distil(replace(config, seeds=left), graph, device, key) if left else None
        return merged(config, done, fresh)


def distil(config: Config, graph: GraphData, device: torch.device, key: str) -> RunResult:
    """Train teacher and student of every seed, whatever is done already."""
    from gkd_runner.data.task import make_task
    from gkd_runner.job import Job
    from gkd_runner.training.soft_labels import make_soft_labels
    from gkd_runner.training.student import train_all_students

    tasks = [make_task(graph, config, seed) for seed in config.seeds]
    with Job(config, graph, device, key) as job:
        with job.stage("teacher") as on_epochs:
            soft_labels = make_soft_labels(tasks, config, device, job.replicas, on_epochs)
        with job.stage("student") as on_epochs:
            students = train_all_students(
                tasks, soft_labels, config, device, job.replicas, on_epochs
            )
        return job.finish(tasks, soft_labels, students)


def run(composed: DictConfig) -> float:
    """Hydra's task function; returns the mean validation accuracy, what a search maximises."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from gkd_runner.config.build import to_config
    from gkd_runner.console import make_console, report, show_log

    show_log()
    try:
        result = train(to_config(composed))
    except Exception as failure:
        error = _explained(failure)
        if error is None:
            raise
        hydra_config = HydraConfig.get()
        if hydra_config.mode != RunMode.MULTIRUN:
            sys.exit(f"gkd-train: {error}")
        if os.getpid() != MAIN_PROCESS:  # a launcher's worker: only an exception gets back
            raise
        FAILED_CELLS.append(f"{' '.join(hydra_config.overrides.task)}: {error}")
        print(f"gkd-train: failed: {FAILED_CELLS[-1]}", file=sys.stderr)
        return math.nan
    make_console().print(report(result), crop=False)
    return result.val_accuracy


def _explained(failure: Exception) -> str | None:
    """What to tell the user of a failure that is not a bug; ``None`` for one that is."""
    from gkd_runner.errors import GkdError

    if isinstance(failure, GkdError):
        return str(failure)
    if isinstance(failure, OSError):
        return f"{failure}; look at output_dir, cache_dir and data_dir"
    if isinstance(failure, MemoryError) or _is_allocation(failure):
        text = str(failure).partition("\n")[0] or "out of memory"
        return f"{text}; use replicas=1 or a smaller teacher.hidden_dim and student.hidden_dim"
    return None


def _is_allocation(failure: Exception) -> bool:
    """Whether torch could not allocate: a plain ``RuntimeError`` on the CPU, told by its text."""
    told = ("out of memory", "DefaultCPUAllocator")
    return isinstance(failure, RuntimeError) and any(words in str(failure) for words in told)


def main() -> None:
    """Console script ``gkd-train``."""
    # Threads that wait sleep instead of spinning, which costs little on an idle machine and saves
    # much beside another busy process. OpenMP reads it when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import hydra

    from gkd_runner.config.command_line import check_command_line
    from gkd_runner.config.paths import conf_dir
    from gkd_runner.config.presets import register_resolvers
    from gkd_runner.errors import ConfigError

    register_resolvers()
    # argparse wants all overrides in one run, so flags that take no value go first
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda text: text not in ("-m", "--multirun"))
    try:
        check_command_line(sys.argv[1:])
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")(run)()
    except ConfigError as error:
        sys.exit(f"gkd-train: {error}")
    except KeyboardInterrupt:
        print("gkd-train: interrupted; trained teachers stay in the cache", file=sys.stderr)
        sys.exit(130)
    if FAILED_CELLS:
        cells = "\n".join(f"  - {cell}" for cell in FAILED_CELLS)
        noun = "cell" if len(FAILED_CELLS) == 1 else "cells"
        sys.exit(f"gkd-train: {len(FAILED_CELLS)} {noun} failed:\n{cells}")


if __name__ == "__main__":
    main()
