"""Do influential training nodes teach a GNN more? Top against bottom quarter of the training nodes.

The study also measures Spearman's rank correlation of influence with degree, and the seconds for
computing influence beside those of the teachers' epochs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
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
from gkd_runner.graph.influence import node_influence
from gkd_runner.nodes.measures import degrees
from gkd_runner.options.schema import Config, InfgrandConfig
from gkd_runner.results.scoring import scores
from gkd_runner.runs.environment import choose_device, replicas_at_once
from gkd_runner.studies.cases import only_method
from gkd_runner.studies.influence_report import FORM, sentence, table
from gkd_runner.studies.measurements import Measurements, configuration_hash, origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Study
from gkd_runner.studies.timing import clock, measure
from gkd_runner.studies.training_subset import SUBSETS, TrainingSubset
from gkd_runner.training.stage import chunks
from gkd_runner.training.teacher import train_teachers

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Subject:
    """One configuration, its task for each seed, and the influence ``[n]`` of each task's nodes.

    ``columns`` are those that all its measurements share. ``of_graph`` is the configuration of
    what is measured on the training graph of the first seed, ``of_teachers`` that of the teachers.
    """

    config: Config
    device: torch.device
    columns: Mapping[str, Any]
    tasks: Sequence[Task]
    influences: Sequence[FloatArray]
    of_graph: str
    of_teachers: str

    @property
    def graph(self) -> GraphData:
        return self.tasks[0].training_graph

    @property
    def self_loops(self) -> float:
        return only_method(self.config, InfgrandConfig).self_loops

    def own(self, measured: pd.DataFrame) -> pd.DataFrame:
        """The rows that the subject would measure in the same way."""
        config, teacher = self.config, measured["teacher"]
        where = {"dataset": config.dataset, "protocol": config.protocol, "setting": config.setting}
        here = np.logical_and.reduce([measured[key] == part.name for key, part in where.items()])
        graph = (teacher == "") & (measured["configuration"] == self.of_graph)
        teachers = (teacher == config.teacher.name) & measured["seed"].isin(config.seeds)
        return measured[
            here & (graph | (teachers & (measured["configuration"] == self.of_teachers)))
        ]


def run(cases: Sequence[Case], measurements: Measurements) -> pd.DataFrame:
    """Measure what the file does not have yet; all measurements of the cases."""
    console, parts = make_console(), list[pd.DataFrame]()
    origin = origin_columns(choose_device(cases[0].config.device))
    for config in (case.config for case in cases):
        subject = make_subject(config, origin)
        known = subject.own(measurements.read())
        measure_missing(subject, known, measurements)
        mine = subject.own(measurements.read())
        parts.append(mine)
        name = f"{config.dataset.name}, {config.teacher.name}, {config.setting.name}"
        taken = len(mine) - len(known)
        console.print(f"{name}: {taken} measurements taken, {len(known)} known")
    return pd.concat(parts).drop_duplicates()  # GNNs share what was measured of their graph


def measure_missing(subject: Subject, known: pd.DataFrame, measurements: Measurements) -> None:
    """Take the measurements that are not ``known``, and write each down at once."""
    if not (known["teacher"] == "").any():
        measurements.add(measure_graph(subject))
    at_once = replicas_at_once(subject.config, subject.device)
    for subset in SUBSETS:
        mine = (known["grouping"] == subset.grouping) & (known["side"] == subset.side)
        missing = [seed for seed in subject.config.seeds if seed not in set(known["seed"][mine])]
        for chunk in chunks(missing, at_once):
            measurements.add(train(subject, subset, chunk))


def make_subject(config: Config, origin: Mapping[str, Any]) -> Subject:
    """Load the graph, split it for every seed, and compute the influence of its nodes."""
    method = only_method(config, InfgrandConfig)
    if method.influence_graph == "published" and config.setting.name == "inductive":
        raise ConfigError(
            ["method.influence_graph=published looks at hidden nodes; this study does not, leave it"
             " out"]
        )  # fmt: skip
    device, where = choose_device(config.device), ("dataset", "protocol", "setting")
    graph = load_dataset(config.dataset, config.protocol, data_dir(config))
    tasks = [make_task(graph, config, seed) for seed in config.seeds]
    graphs = [task.training_graph for task in tasks]
    code = code_version("gkd_runner.graph.influence")
    of_graph = configuration_hash(graph.fingerprint, method.self_loops, code)
    options = [asdict(part) for part in (config.protocol, config.teacher, config.training)]
    code = code_version(
        "gkd_runner.studies.training_subset",
        "gkd_runner.training.teacher",
        "gkd_runner.data.protocols",
    )
    return Subject(
        config,
        device,
        {name: getattr(config, name).name for name in where} | dict(origin),
        tasks,
        once_per_object(graphs, lambda graph: node_influence(graph, method.self_loops)),
        of_graph,
        configuration_hash(of_graph, *options, device.type, code),
    )


def measure_graph(subject: Subject) -> pd.DataFrame:
    """Rank correlation of influence with degree, and seconds for computing it on the CPU."""
    graph, self_loops = subject.graph, subject.self_loops
    rank = stats.spearmanr(subject.influences[0], degrees(graph)).statistic
    timing = measure(lambda _: node_influence(graph, self_loops), lambda: None, CPU)
    common = {
        **subject.columns,
        **dict.fromkeys(("teacher", "grouping", "side"), ""),
        "device": "cpu",
        "nodes": graph.num_nodes,
        "classes": graph.num_classes,
        "seed": subject.config.seeds[0],
        "configuration": subject.of_graph,
    }
    ranked = {"measure": "influence_degree_spearman", "value": rank, "repeats": 1}
    timed = {"measure": "influence_seconds", "value": timing.median, "repeats": timing.repeats}
    return FORM.table([common | ranked, common | timed])


def train(subject: Subject, subset: TrainingSubset, seeds: Sequence[int]) -> pd.DataFrame:
    """Train the teachers of these seeds at once; test accuracy and seconds per epoch of each."""
    config, now = subject.config, clock(subject.device)
    ends: list[float] = []
    tasks = [
        subset.of(task, influence)
        for task, influence in zip(subject.tasks, subject.influences, strict=True)
        if task.seed in seeds
    ]
    trained = train_teachers(
        tasks, config.teacher, config.training, subject.device, lambda *_: ends.append(now())
    )
    epoch = float(np.median(np.diff(ends))) / len(tasks) if len(ends) > 1 else float("nan")
    rows = []
    for task, teacher in zip(tasks, trained, strict=True):
        accuracy = scores(task, teacher.observed_logits, teacher.hidden_logits).test
        common = {
            **subject.columns,
            **asdict(subset),
            "teacher": config.teacher.name,
            "layers": config.teacher.num_layers,
            "hidden_dim": config.teacher.hidden_dim,
            "nodes": len(task.split.train),
            "classes": len(np.unique(task.graph.labels[task.split.train])),
            "seed": task.seed,
            "repeats": 1,
            "configuration": subject.of_teachers,
        }
        rows.append(common | {"measure": "test_accuracy", "value": accuracy})
        rows.append(common | {"measure": "seconds_per_epoch", "value": epoch})
    return FORM.table(rows)


STUDY = Study(
    defaults=SHARED_DEFAULTS | {"teacher": "gcn,sage,gat", "method": "infgrand"},
    form=FORM,
    run=run,
    table=table,
    sentence=sentence,
)
