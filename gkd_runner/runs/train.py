"""One job: config -> graph -> tasks -> soft labels -> students -> result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.locks import held
from gkd_runner.common.processes import ALONE, ProcessGroup
from gkd_runner.config.rules import check_together
from gkd_runner.data.checks import check_graph
from gkd_runner.data.datasets import load_dataset, treated
from gkd_runner.data.graph import GraphData, canonical
from gkd_runner.data.protocols import make_task, replicas_of
from gkd_runner.data.task import Replica, Task
from gkd_runner.models.forms import DECISIONS
from gkd_runner.options.schema import Config
from gkd_runner.results.key import config_key
from gkd_runner.results.scores import RunResult
from gkd_runner.results.stored import (
    StoredRun,
    cell_folder,
    lock_file,
    merged,
    newest_runs,
    trains_again,
)
from gkd_runner.runs.environment import choose_device, deterministic_algorithms
from gkd_runner.runs.job import Job
from gkd_runner.training.failures import FailedSeedsError, SeedFailure
from gkd_runner.training.shared import receive_soft_labels, send_soft_labels
from gkd_runner.training.soft_labels import SoftLabels, make_soft_labels
from gkd_runner.training.student import train_all_students


def train(
    config: Config, graph: GraphData | None = None, processes: ProcessGroup = ALONE
) -> RunResult:
    """Run one job: train (or fetch) a teacher per replica, distil a student from each, record it.

    Replicas that an earlier run of the same key has finished are read from disk, unless
    ``config.rerun``. Each of a graph's own splits is a run with a folder of its own. A replica that
    fails in training is in the result's ``failures``, and the others go on. Raises ``GkdError`` for
    data and configurations that cannot work, and where no replica has a result.

    Args:
        config: the configuration.
        graph: a graph in memory, for a configuration with ``dataset=custom``, which then reads no
            file. Its name replaces the dataset's, unless that was given.
        processes: those that divide the mini-batches of students. This one is the first, and the
            others ``follow`` it.
    """
    device = choose_device(config.device)
    if config.cache != "off":
        DECISIONS.remember_in(Path(config.cache_dir).expanduser() / "first-layers.json")
    if graph is None:
        graph = load_dataset(config.dataset, config.protocol, config.data_dir)
    else:
        config = _for_graph(config, graph)
        graph = treated(canonical(graph), config.dataset, config.protocol)
    key = config_key(config, graph, device)
    replicas = replicas_of(graph, config)
    done = _finished(config, key, replicas)
    if done.keys() >= set(replicas):  # without the lock, which a read-only disk cannot have
        processes.share(None)
        return merged(config, replicas, done, ())
    with (
        held(lock_file(config, key), f"runs the configuration {key[:8]}"),
        deterministic_algorithms(config.deterministic, device),
    ):
        done = _finished(config, key, replicas)  # another job may have been faster
        left = [replica for replica in replicas if replica not in done]
        fresh, failures = [], list[SeedFailure]()
        for split, seeds in by_split(left).items():
            own = replace(config, seeds=seeds, splits=[split])
            try:
                fresh.append(distil(own, graph, device, key, processes))
            except FailedSeedsError as error:
                failures += error.failures
        processes.share(None)  # no further job
        if not (done or fresh):
            raise FailedSeedsError(failures)
        return merged(config, replicas, done, fresh, failures)


def _finished(config: Config, key: str, replicas: Iterable[Replica]) -> Mapping[Replica, StoredRun]:
    """The finished run of each replica that need not train again."""
    return {} if trains_again(config) else newest_runs(cell_folder(config), key, replicas)


def _for_graph(config: Config, graph: GraphData) -> Config:
    """The configuration of a run on a graph in memory."""
    if config.dataset.family != "custom":
        raise ConfigError(
            [f"dataset={config.dataset.name} with a graph in memory: compose with dataset=custom"]
        )
    check_graph(graph, graph.name)
    if config.dataset.name != "custom":
        return config
    named = replace(config, dataset=replace(config.dataset, name=graph.name))
    if mistakes := check_together(named):
        raise ConfigError(mistakes)
    return named


def by_split(replicas: Iterable[Replica]) -> dict[int, list[int]]:
    """The seeds of each split."""
    seeds: dict[int, list[int]] = {}
    for replica in replicas:
        seeds.setdefault(replica.split, []).append(replica.seed)
    return seeds


def distil(
    config: Config,
    graph: GraphData,
    device: torch.device,
    key: str,
    processes: ProcessGroup = ALONE,
) -> RunResult:
    """Train the teacher and the student of every seed on the only one of ``config.splits``."""
    assert config.splits is not None
    (split,) = config.splits
    tasks = [make_task(graph, config, seed, split) for seed in config.seeds]
    with Job(config, graph, device, key, processes) as job:
        processes.share({"seeds": config.seeds, "splits": [split], "replicas": job.replicas})
        with job.stage("teacher") as on_epochs:
            soft_labels = make_soft_labels(tasks, config, device, job.replicas, on_epochs, job.fail)
        send_soft_labels(soft_labels, processes)
        tasks = taught(tasks, soft_labels)
        with job.stage("student") as on_epochs:
            students = train_all_students(
                tasks, soft_labels, config, device, job.replicas, on_epochs, processes, job.fail
            )
        return job.finish(tasks, soft_labels, students)


def taught(tasks: Iterable[Task], soft_labels: Iterable[SoftLabels]) -> list[Task]:
    """The tasks that have soft labels."""
    seeds = {labels.teacher.seed for labels in soft_labels}
    return [task for task in tasks if task.seed in seeds]


def follow(config: Config, processes: ProcessGroup) -> None:
    """Train the students of the first process's ``train`` with it; write and return nothing."""
    device, graph = choose_device(config.device), None
    with deterministic_algorithms(config.deterministic, device):
        while job := processes.share():
            own = replace(config, seeds=job["seeds"], splits=job["splits"])
            graph = graph or load_dataset(config.dataset, config.protocol, config.data_dir)
            tasks = [make_task(graph, own, seed, job["splits"][0]) for seed in own.seeds]
            soft_labels = receive_soft_labels(processes)
            tasks, replicas = taught(tasks, soft_labels), job["replicas"]
            train_all_students(tasks, soft_labels, own, device, replicas, _silent, processes)


def _silent(*_: object) -> None:
    """Record no epoch: the first process does."""
