"""Do influential training nodes teach a GNN more? Top against bottom quarter of the training nodes.

Beside the accuracies stands what influence is and costs: Spearman's rank correlation with degree,
and seconds for computing it against seconds per epoch of the teachers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats

from gkd_runner.common.code import code_version
from gkd_runner.common.console import make_console
from gkd_runner.common.errors import ConfigError
from gkd_runner.config.build import data_dir
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task, once_per_object
from gkd_runner.nodes.measures import degrees
from gkd_runner.options.schema import Config, InfgrandConfig
from gkd_runner.results.scoring import scores
from gkd_runner.runs.environment import choose_device, replicas_at_once
from gkd_runner.studies.cases import only_method
from gkd_runner.studies.influence_report import InfluenceLine, sentence, table
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.origin import configuration_hash, origin_columns
from gkd_runner.studies.quarters import Quarter, all_quarters, node_influence
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Finding, Study
from gkd_runner.studies.timing import clock, measure
from gkd_runner.training.stage import chunks
from gkd_runner.training.teacher import train_teachers

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Subject:
    """One configuration, its task for each seed, and the influence ``[n]`` of each task's nodes.

    ``origin`` are the columns of provenance.
    """

    config: Config
    device: torch.device
    origin: Mapping[str, Any]
    tasks: Sequence[Task]
    influences: Sequence[FloatArray]

    @property
    def graph(self) -> GraphData:
        """What the first seed trains on."""
        return self.tasks[0].training_graph

    @property
    def self_loops(self) -> float:
        return only_method(self.config, InfgrandConfig).self_loops

    @property
    def of_graph(self) -> str:
        """The configuration of what is measured of the graph."""
        return configuration_hash(
            self.tasks[0].graph.fingerprint,
            self.self_loops,
            code_version("gkd_runner.studies.quarters"),
        )

    @property
    def of_teachers(self) -> str:
        """The configuration of the teachers."""
        config = self.config
        options = [asdict(part) for part in (config.protocol, config.teacher, config.training)]
        code = code_version("gkd_runner.training.teacher", "gkd_runner.data.protocols")
        return configuration_hash(self.of_graph, *options, self.device.type, code)


def run(cases: Sequence[Case], lines: Lines[InfluenceLine]) -> Finding:
    """Measure what the file does not have yet, and report on all that was asked for."""
    console, found = make_console(), list[InfluenceLine]()
    origin = origin_columns(choose_device(cases[0].config.device))
    for config in (case.config for case in cases):
        subject = make_subject(config, origin)
        fresh = list(_missing(subject, lines))
        mine = [line for line in lines.read() if _belongs(line, subject)]
        found += mine
        what = f"{config.dataset.name}, {config.teacher.name}, {config.setting.name}"
        console.print(f"{what}: {len(fresh)} measurements taken, {len(mine) - len(fresh)} known")
    found = list(dict.fromkeys(found))  # GNNs share what was measured of their graph
    return Finding(table(found), sentence(found))


def _missing(subject: Subject, lines: Lines[InfluenceLine]) -> Iterator[InfluenceLine]:
    """Measure what is missing, and write it down at once."""
    known = [line for line in lines.read() if _belongs(line, subject)]
    if not any(line.teacher == "" for line in known):
        fresh = list(measure_graph(subject))
        lines.add(fresh)
        yield from fresh
    done = {(line.grouping, line.side, line.seed) for line in known}
    at_once = replicas_at_once(subject.config, subject.device)
    for quarter in all_quarters():
        side = (quarter.grouping, quarter.side)
        missing = [seed for seed in subject.config.seeds if (*side, seed) not in done]
        for chunk in chunks(missing, at_once):
            fresh = list(train(subject, quarter, chunk))
            lines.add(fresh)
            yield from fresh


def _belongs(line: InfluenceLine, subject: Subject) -> bool:
    """Whether the subject would measure this line just so."""
    config = subject.config
    where = (config.dataset.name, config.protocol.name, config.setting.name)
    if (line.dataset, line.protocol, line.setting) != where:
        return False
    if line.teacher == "":
        return line.configuration == subject.of_graph
    asked = line.teacher == config.teacher.name and line.seed in config.seeds
    return asked and line.configuration == subject.of_teachers


def make_subject(config: Config, origin: Mapping[str, Any]) -> Subject:
    """Load the graph, split it for every seed, and compute the influence of its nodes."""
    method = only_method(config, InfgrandConfig)
    if method.influence_graph == "published" and config.setting.name == "inductive":
        raise ConfigError(
            ["method.influence_graph=published looks at hidden nodes; this study does not, leave it"
             " out"]
        )  # fmt: skip
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    tasks = [make_task(graph, config, seed) for seed in config.seeds]
    graphs = [task.training_graph for task in tasks]
    influences = once_per_object(graphs, lambda g: node_influence(g, method.self_loops))
    return Subject(config, choose_device(config.device), origin, tasks, influences)


def measure_graph(subject: Subject) -> Iterator[InfluenceLine]:
    """Influence beside degree, and what it costs on the CPU."""
    graph, self_loops = subject.graph, subject.self_loops
    rank = stats.spearmanr(subject.influences[0], degrees(graph)).statistic
    timing = measure(lambda _: node_influence(graph, self_loops), lambda: None, CPU)
    found = (("influence_degree_spearman", rank, 1),
             ("influence_seconds", timing.median, timing.repeats))  # fmt: skip
    for name, value, repeats in found:
        yield InfluenceLine(
            **_columns(subject) | {"device": "cpu"},
            teacher="",
            layers=None,
            hidden_dim=None,
            grouping="",
            side="",
            nodes=graph.num_nodes,
            classes=graph.num_classes,
            seed=subject.config.seeds[0],
            measure=name,
            value=float(value),
            repeats=repeats,
            configuration=subject.of_graph,
        )


def train(subject: Subject, quarter: Quarter, seeds: Sequence[int]) -> Iterator[InfluenceLine]:
    """Train the teachers of these seeds at once; test accuracy and epoch of each."""
    config, now = subject.config, clock(subject.device)
    ends: list[float] = []
    tasks = [
        quarter.of(task, influence)
        for task, influence in zip(subject.tasks, subject.influences, strict=True)
        if task.seed in seeds
    ]
    trained = train_teachers(
        tasks, config.teacher, config.training, subject.device, lambda *_: ends.append(now())
    )
    epoch = float(np.median(np.diff(ends))) / len(tasks) if len(ends) > 1 else float("nan")
    for task, teacher in zip(tasks, trained, strict=True):
        accuracy = scores(task, teacher.observed_logits, teacher.hidden_logits).test
        for name, value in (("test_accuracy", accuracy), ("seconds_per_epoch", epoch)):
            yield InfluenceLine(
                **_columns(subject),
                teacher=config.teacher.name,
                layers=config.teacher.num_layers,
                hidden_dim=config.teacher.hidden_dim,
                grouping=quarter.grouping,
                side=quarter.side,
                nodes=len(task.split.train),
                classes=len(np.unique(task.graph.labels[task.split.train])),
                seed=task.seed,
                measure=name,
                value=value,
                repeats=1,
                configuration=subject.of_teachers,
            )


def _columns(subject: Subject) -> dict[str, Any]:
    """The columns that all lines of a subject share."""
    config = subject.config
    return {
        "dataset": config.dataset.name,
        "protocol": config.protocol.name,
        "setting": config.setting.name,
        **subject.origin,
    }


STUDY = Study(
    defaults=SHARED_DEFAULTS | {"teacher": "gcn,sage,gat", "method": "infgrand"},
    line=InfluenceLine,
    run=run,
)
