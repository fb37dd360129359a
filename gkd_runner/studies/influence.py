"""Do influential training nodes teach a GNN more? Top against bottom quarter of the training nodes.

Beside the accuracies stands what influence is and costs: Spearman's rank correlation with degree,
and seconds for computing it against seconds per epoch of the teachers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats

from gkd_runner.config.build import data_dir
from gkd_runner.config.schema import Config, InfgrandConfig
from gkd_runner.console import make_console
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task, make_task, once_per_object
from gkd_runner.environment import choose_device
from gkd_runner.scoring import scores
from gkd_runner.studies.influence_report import Line, sentence, table
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.quarters import Quarter, all_quarters, node_influence
from gkd_runner.studies.study import Case, Report, Study, only_method, provenance_columns
from gkd_runner.timing import clock, measure
from gkd_runner.training.cache import code_version, teacher_key
from gkd_runner.training.stage import chunks
from gkd_runner.training.teacher import train_teachers

CODE = ("graph/batch.py", "graph/influence.py", "graph/operators.py", "studies/quarters.py")
"""The files whose code shapes influence and quarters."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One configuration, and for each quarter one task per seed, by the key of what is measured.

    ``graph`` is what the first seed trains on; ``where`` are the columns of provenance.
    """

    config: Config
    device: torch.device
    where: Mapping[str, Any]
    graph: GraphData
    self_loops: float
    tasks: Mapping[Quarter, Mapping[str, Task]]

    @property
    def graph_key(self) -> str:
        """The key of what is measured of the graph."""
        return _hash(self.config, self.graph.fingerprint, self.self_loops, code_version(CODE))

    @property
    def keys(self) -> set[str]:
        """All keys of the configuration."""
        return {self.graph_key, *(key for tasks in self.tasks.values() for key in tasks)}


def run(cases: Sequence[Case], lines: Lines[Line]) -> Report:
    """Measure what the file does not have yet, and report on all that was asked for."""
    console, wanted = make_console(), set[str]()
    where = provenance_columns(cases)
    for config in (case.config for case in cases):
        subject = make_subject(config, where)
        done = {line.key for line in lines.read()}
        if subject.graph_key not in done:
            lines.add(list(measure_graph(subject)))
        for quarter, tasks in subject.tasks.items():
            missing = [key for key in tasks if key not in done]
            for keys in chunks(missing, _replicas(subject)):
                lines.add(list(train(subject, quarter, {key: tasks[key] for key in keys})))
        wanted |= subject.keys
        fresh = len(subject.keys - done)
        what = f"{config.dataset.name}, {config.teacher.name}, {config.setting.name}"
        console.print(f"{what}: {fresh} measured, {len(subject.keys) - fresh} known")
    found = [line for line in lines.read() if line.key in wanted]
    return Report(table(found), sentence(found))


def make_subject(config: Config, where: Mapping[str, Any]) -> Subject:
    """Load the graph, split it for every seed, and pick the quarters by influence."""
    device = choose_device(config.device)
    self_loops = only_method(config, InfgrandConfig).self_loops
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    tasks = [make_task(graph, config, seed) for seed in config.seeds]
    graphs = [task.training_graph for task in tasks]
    influences = once_per_object(graphs, lambda g: node_influence(g, self_loops))
    chosen = {
        quarter: [quarter.of(t, values) for t, values in zip(tasks, influences, strict=True)]
        for quarter in all_quarters()
    }
    keyed = {
        quarter: {_task_key(config, quarter, task, device): task for task in found}
        for quarter, found in chosen.items()
    }
    return Subject(config, device, where, graphs[0], self_loops, keyed)


def _task_key(config: Config, quarter: Quarter, task: Task, device: torch.device) -> str:
    teacher = teacher_key(task, config.teacher, config.training, device)
    return _hash(config, teacher, task.split.fingerprint, quarter.quarter, quarter.side)


def _hash(config: Config, *parts: Any) -> str:
    names = (config.dataset.name, config.protocol.name, config.setting.name)
    return hashlib.sha256(json.dumps([*names, *parts]).encode()).hexdigest()


def _replicas(subject: Subject) -> int:
    """Teachers trained at once."""
    everything = len(subject.config.seeds) if subject.device.type == "cuda" else 1
    return subject.config.replicas or everything


def measure_graph(subject: Subject) -> Iterator[Line]:
    """Influence beside degree, and what it costs (on the CPU)."""
    graph, self_loops = subject.graph, subject.self_loops
    degree = np.diff(graph.adjacency.indptr)
    rank = stats.spearmanr(node_influence(graph, self_loops), degree).statistic
    timing = measure(lambda _: node_influence(graph, self_loops), lambda: None, torch.device("cpu"))
    found = (("influence_degree_spearman", rank, 1),
             ("influence_seconds", timing.median, timing.repeats))  # fmt: skip
    for name, value, repeats in found:
        yield Line(
            **_columns(subject, subject.graph_key),
            teacher="",
            layers=None,
            hidden_dim=None,
            quarter="",
            side="",
            nodes=graph.num_nodes,
            classes=graph.num_classes,
            seed=subject.config.seeds[0],
            measure=name,
            value=float(value),
            repeats=repeats,
        )


def train(subject: Subject, quarter: Quarter, tasks: Mapping[str, Task]) -> Iterator[Line]:
    """Train a teacher per task, all at once; test accuracy and the median epoch of each."""
    config, now = subject.config, clock(subject.device)
    ends: list[float] = []
    trained = train_teachers(
        list(tasks.values()),
        config.teacher,
        config.training,
        subject.device,
        lambda *_: ends.append(now()),
    )
    pace = float(np.median(np.diff(ends))) / len(tasks) if len(ends) > 1 else math.nan
    for (key, task), teacher in zip(tasks.items(), trained, strict=True):
        accuracy = scores(task, teacher.observed_logits, teacher.hidden_logits).prod
        for name, value in (("test_accuracy", accuracy), ("seconds_per_epoch", pace)):
            yield Line(
                **_columns(subject, key),
                teacher=config.teacher.name,
                layers=config.teacher.num_layers,
                hidden_dim=config.teacher.hidden_dim,
                quarter=quarter.quarter,
                side=quarter.side,
                nodes=len(task.split.train),
                classes=len(np.unique(task.graph.labels[task.split.train])),
                seed=task.seed,
                measure=name,
                value=value,
                repeats=1,
            )


def _columns(subject: Subject, key: str) -> dict[str, Any]:
    """The columns that all lines of a subject share, and their key."""
    config = subject.config
    return {
        "dataset": config.dataset.name,
        "protocol": config.protocol.name,
        "setting": config.setting.name,
        **subject.where,
        "key": key,
    }


STUDY = Study(
    defaults={
        "dataset": "cora,citeseer,pubmed",
        "teacher": "gcn,sage,gat",
        "seeds": "2022,2023,2024,2025,2026",
        "protocol": "infgrand",
        "setting": "transductive",
        "method": "infgrand",
        "preset": "common",
        "tracker": "none",
    },
    line=Line,
    key=(
        "dataset", "protocol", "setting", "teacher", "layers", "hidden_dim", "quarter", "side",
        "seed", "measure",
    ),
    run=run,
)  # fmt: skip
