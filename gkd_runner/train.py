"""The single train entrypoint: config -> graph -> tasks -> soft labels -> students -> result."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from gkd_runner.config.schema import Config

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
    from gkd_runner.stored import finished, lock_file, merged, trains_again
    from gkd_runner.tracking.record import config_key

    device = choose_device(config.device)
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    key = config_key(config, graph, device)
    with held(lock_file(config, key), f"runs the configuration {key[:8]}"):
        done = {} if trains_again(config) else finished(config, key)
        left = [seed for seed in config.seeds if seed not in done]
        fresh = distil(replace(config, seeds=left), graph, device, key) if left else None
        return merged(config, done, fresh)


def distil(config: Config, graph: GraphData, device: torch.device, key: str) -> RunResult:
    """Train teacher and student of every seed, whatever is done already."""
    from gkd_runner.data.protocols import make_task
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

    from gkd_runner.config.build import to_config
    from gkd_runner.console import make_console, report, show_log
    from gkd_runner.errors import explain
    from gkd_runner.sweeps.folder import current

    show_log()
    config = to_config(composed)
    sweep = current()
    if sweep:
        from gkd_runner.sweeps.run import run_cell

        return run_cell(sweep, HydraConfig.get().job.num, config)
    try:
        result = train(config)
    except Exception as failure:
        text = explain(failure)
        if text is None:
            raise
        sys.exit(f"gkd-train: {text}")
    make_console().print(report(result), crop=False)
    return result.val_accuracy


def let_waiting_threads_sleep() -> None:
    """Call before torch is imported, when OpenMP reads it.

    Threads that wait sleep instead of spinning, which costs little on an idle machine and saves
    much beside another busy process.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """Console script ``gkd-train``."""
    let_waiting_threads_sleep()
    import hydra

    from gkd_runner.config.command_line import check_command_line, chooses_sweeper
    from gkd_runner.config.paths import conf_dir
    from gkd_runner.config.presets import register_resolvers
    from gkd_runner.errors import ConfigError

    register_resolvers()
    # argparse wants all overrides in one run, so flags that take no value go first
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda text: text not in ("-m", "--multirun"))
    start = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")(run)
    try:
        cells = check_command_line(sys.argv[1:])
        if cells:
            from gkd_runner.sweeps.run import run_sweep

            run_sweep(cells, start, listed=not chooses_sweeper(sys.argv))
        else:
            start()
    except ConfigError as error:
        sys.exit(f"gkd-train: {error}")
    except KeyboardInterrupt:
        print("gkd-train: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
