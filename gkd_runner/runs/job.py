"""Bookkeeping of one job: its record, its tracker, its progress and its result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from gkd_runner.common.processes import ALONE, ProcessGroup
from gkd_runner.config.presets import hyperparameters
from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task
from gkd_runner.options.schema import Config, PrecomputedConfig
from gkd_runner.results.identity import identity
from gkd_runner.results.key import SHAPING
from gkd_runner.results.scores import RunResult, SeedResult, table
from gkd_runner.results.scoring import seed_result
from gkd_runner.results.stored import RESULT_FORMAT
from gkd_runner.runs.display import stage_progress
from gkd_runner.runs.environment import describe_environment, peak_memory, replicas_at_once
from gkd_runner.runs.record import Record
from gkd_runner.serving.latency import measure_latency
from gkd_runner.tracking.base import RunIdentity, closing
from gkd_runner.tracking.metrics import epoch_metrics, summary_metrics
from gkd_runner.tracking.open import open_tracker
from gkd_runner.training.failures import FailedSeedsError, SeedFailure
from gkd_runner.training.fit import Epoch, OnEpochs
from gkd_runner.training.precomputed import doubts, provenance
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained


class Job:
    """Context of one job; closes record and tracker, as failed if the block raises."""

    def __init__(
        self,
        config: Config,
        graph: GraphData,
        device: torch.device,
        key: str,
        processes: ProcessGroup = ALONE,
    ) -> None:
        self._config, self._graph, self._device, self._key = config, graph, device, key
        self.replicas = replicas_at_once(config, device)
        # now, as the checkout may change meanwhile
        self._environment = describe_environment(device) | {
            "processes": processes.size,
            "replicas": self.replicas,
            "deterministic": config.deterministic,
        }
        self._seconds: dict[str, float] = {}
        self._failures: list[SeedFailure] = []
        self._resources = ExitStack()

    def __enter__(self) -> Job:
        config = self._config
        with ExitStack() as stack:
            tracker = open_tracker(config.tracker, Path(config.output_dir).expanduser())
            self._tracker = stack.enter_context(closing(tracker))
            self.record = Record(config, self._key)
            stack.callback(self.record.close)
            for seed in config.seeds:
                self._tracker.begin(tracked_identity(config, self._key, self._device, seed))
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.__exit__(kind, error, trace)

    @contextmanager
    def stage(self, name: str) -> Iterator[OnEpochs]:
        """Time one stage; yield the function that records its epochs and shows its progress."""

        def record(seeds: Sequence[int], epoch: int, records: Sequence[Epoch | None]) -> None:
            for seed, entry in zip(seeds, records, strict=True):
                if entry:
                    self._epoch(name, seed, entry)

        started = time.perf_counter()
        metric = self._config.training.select_by
        with stage_progress(name, self._config.seeds, record, metric) as on_epochs:
            yield on_epochs
        self._seconds[name] = time.perf_counter() - started

    def fail(self, failure: SeedFailure) -> None:
        """Take note of a seed that failed, and end its tracked run as failed."""
        self._failures.append(failure)
        self._tracker.finish(failure.seed, {}, failed=True)

    def finish(
        self, tasks: Sequence[Task], soft_labels: Sequence[SoftLabels], students: Sequence[Trained]
    ) -> RunResult:
        """Score every seed, save the students, write ``result.json``, end the tracked runs.

        Raises ``FailedSeedsError`` if there is no student.
        """
        if not students:
            raise FailedSeedsError(self._failures)
        trained = {student.seed for student in students}
        soft_labels = [labels for labels in soft_labels if labels.teacher.seed in trained]
        tasks = [task for task in tasks if task.seed in trained]
        memory = peak_memory(self._device)  # of the training alone
        teacher = soft_labels[0].teacher.state  # those of all seeds have the same sizes
        latency = measure_latency(self._config, self._graph, teacher, students)
        seeds = []
        for task, labels, student in zip(tasks, soft_labels, students, strict=True):
            if labels.cached:
                for entry in labels.teacher.history:
                    self._epoch("teacher", task.seed, entry)
            self.record.weights(task.seed, student.state)
            seeds.append(
                replace(
                    seed_result(task, labels, student, self._config),
                    teacher_answer_seconds=latency.teacher_seconds,
                    student_answer_seconds=latency.student_seconds(task.seed),
                )
            )
            stages = {"teacher": labels.teacher, "student": student}
            selected = {name: _selected(stage) for name, stage in stages.items() if stage.history}
            self._tracker.finish(task.seed, summary_metrics(seeds[-1], selected))
        self.record.graph(self._graph)
        keys = [labels.key for labels in soft_labels]
        measured = {
            "method_facts": [dict(student.facts) for student in students],
            "peak_memory_bytes": memory,
            "latency": asdict(latency),
        }
        told = measured | _teacher_file(self._config, tasks, soft_labels)
        self.record.result(self._as_json(seeds, keys) | told)
        self._tracker.close()
        hint = self._tracker.hint()
        failures = tuple(self._failures)
        return RunResult(
            self._config, (self.record.path,), tuple(seeds), self._seconds, hint, failures=failures
        )

    def _epoch(self, stage: str, seed: int, entry: Epoch) -> None:
        self.record.epoch(stage, seed, entry)
        self._tracker.log(seed, epoch_metrics(stage, entry))

    def _as_json(self, seeds: Sequence[SeedResult], teacher_keys: Sequence[str]) -> dict[str, Any]:
        graph = self._graph
        return {
            "format": RESULT_FORMAT,
            "key": self.record.key,
            "identity": identity(self._config),
            "hyperparameters": asdict(hyperparameters(self._config)),
            "started": self.record.started.isoformat(),
            "graph": {
                "fingerprint": graph.fingerprint,
                "nodes": graph.num_nodes,
                "edges": graph.num_edges,
                "features": graph.num_features,
                "classes": graph.num_classes,
            },
            "summary": table(seeds),
            "seconds": self._seconds,
            "seeds": [
                {"teacher_key": key, **asdict(seed)}
                for key, seed in zip(teacher_keys, seeds, strict=True)
            ],
            "failures": [asdict(failure) for failure in self._failures],
            **self._environment,
        }


def tracked_identity(config: Config, key: str, device: torch.device, seed: int) -> RunIdentity:
    """Name, group, tags and options of one seed of ``config``, for trackers."""
    method, teacher, dataset = config.method.name, config.teacher.name, config.dataset.name
    protocol, setting, preset = config.protocol.name, config.setting.name, config.preset.name
    # Some protocols have the name of a method (glnn, infgrand): a bare tag would be ambiguous.
    tags = (dataset, method, teacher, setting, f"{protocol} protocol", f"{preset} preset")
    return RunIdentity(
        project=config.tracker.project,
        name=f"{method}-{seed}-{teacher}-{dataset}{_split_mark(config)}",
        group=f"{method}/{teacher}/{dataset}/{protocol}-{setting}/{key[:8]}",
        job_type="distil" if config.method.uses_teacher else "baseline",
        tags=tuple(dict.fromkeys((*tags, *config.tracker.tags))),
        config={**_tracked_config(config), "device": device.type, "key": key},
        seed=seed,
    )


def _tracked_config(config: Config) -> dict[str, Any]:
    """The options that distinguish runs, without those of folders, trackers and sweeps."""
    options = asdict(config)
    kept = {name: options[name] for name in ("dataset", "preset", *SHAPING)}
    del kept["dataset"]["path"]
    told = {"hyperparameters": asdict(hyperparameters(config))}
    return {**kept, **told, "split": None if config.splits is None else config.splits[0]}


def _split_mark(config: Config) -> str:
    return "".join(f"-split{number}" for number in config.splits or () if number)


def _teacher_file(
    config: Config, tasks: Sequence[Task], soft_labels: Sequence[SoftLabels]
) -> dict[str, Any]:
    """The file of a precomputed teacher; nothing of one that was trained."""
    if not isinstance(config.teacher, PrecomputedConfig):
        return {}
    doubted = doubts(tasks, [labels.teacher for labels in soft_labels])
    return {"teacher_file": provenance(config.teacher, doubted)}


def _selected(trained: Trained) -> Epoch:
    return trained.history[trained.best_epoch - 1]
