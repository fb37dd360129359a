"""Do influential training nodes teach a GNN more? Top against bottom quarter of the training nodes.

The study also measures Spearman's rank correlation of influence with degree, and the seconds for
computing influence beside those of the teachers' epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.table import Table
from scipy import stats

from gkd_runner.common.code import code_version
from gkd_runner.common.console import make_console
from gkd_runner.common.errors import ConfigError
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task, once_per_object
from gkd_runner.graph.influence import Influence, node_influence
from gkd_runner.methods.infgrand import InfgrandConfig
from gkd_runner.nodes.measures import degrees
from gkd_runner.options.schema import Config
from gkd_runner.results.scoring import scores
from gkd_runner.results.selection import PLACE, in_rank
from gkd_runner.runs.display import work_progress
from gkd_runner.runs.environment import choose_device, replicas_at_once
from gkd_runner.serving.timing import clock, measure
from gkd_runner.studies.cases import only_method
from gkd_runner.studies.measurements import Form, Measurements, configuration_hash, origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Study
from gkd_runner.studies.sweep import wide
from gkd_runner.studies.training_subset import GROUPINGS, SIDES, SUBSETS, TrainingSubset
from gkd_runner.studies.wording import gaps, percent, points, study_table, verdict, won
from gkd_runner.training.stage import chunks
from gkd_runner.training.teacher import train_teachers

FORM = Form(
    "dataset,protocol,setting,teacher,layers,hidden_dim,grouping,side,nodes,classes,"
    "seed,measure,value,repeats,threads,device,commit,configuration",
    scope=("dataset", "protocol", "setting", "teacher"),
    index=("grouping", "side", "seed", "measure"),
)
"""One measurement per row; columns that do not apply to it are empty.

``measure`` is ``test_accuracy`` ([0, 1]) or ``seconds_per_epoch`` (of one of the seeds that were
trained at once) of a teacher that learnt from ``nodes`` training nodes of ``classes`` classes, or
``influence_degree_spearman`` or ``influence_seconds`` (median over ``repeats``) of a training graph
with ``nodes`` nodes, without a teacher. The quarter is the ``top`` or ``bottom`` (``side``) one
``overall`` or ``per-class`` (``grouping``).
"""

BY = ["grouping", *PLACE]


def accuracies(measured: pd.DataFrame) -> pd.DataFrame:
    """Test accuracies on the top and the bottom quarter, where both were measured for a seed."""
    sides = wide(measured, "side", SIDES, BY, "test_accuracy")
    both = sides.dropna().groupby(BY).size().index
    kept = sides[sides.index.droplevel("seed").isin(both)]
    return in_rank(kept, ["grouping", *PLACE, "seed"])


def epochs(measured: pd.DataFrame) -> pd.Series:
    """Median seconds per epoch of each GNN in each place."""
    timed = measured[measured["measure"] == "seconds_per_epoch"]
    return timed.groupby(BY)["value"].median()


def graphs(measured: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation with degree, and seconds, by dataset."""
    names = ["influence_degree_spearman", "influence_seconds"]
    rows = measured[measured["teacher"] == ""].drop_duplicates(["dataset", "measure"], keep="last")
    pivoted = rows.pivot(index="dataset", columns="measure", values="value")
    return in_rank(pivoted.reindex(columns=names), ["dataset"]).set_axis(
        ["rank", "seconds"], axis=1
    )


def table(measured: pd.DataFrame) -> Table:
    """A row for each GNN, graph and grouping of which both quarters were measured."""
    accuracy, tested = accuracies(measured), measured[measured["measure"] == "test_accuracy"]
    by = accuracy.groupby(BY, sort=False)
    cells = by.agg(percent)
    cells["difference"] = gaps(accuracy["top"], accuracy["bottom"], BY).apply(points, axis=1)
    classes = tested.groupby([*BY, "side"])["classes"].min().unstack("side").loc[cells.index]
    cells["classes"] = [f"{row.top:.0f}, {row.bottom:.0f}" for row in classes.itertuples()]
    of_graph = graphs(measured).reindex(cells.index.get_level_values("dataset"))
    cells["rank"] = of_graph["rank"].map("{:+.2f}".format).to_numpy()
    pace = epochs(measured).reindex(cells.index)
    cells["time"] = [f"{value:.1f}" for value in of_graph["seconds"].to_numpy() / pace]
    return study_table(
        "test accuracy in % of the GNN, mean ± population std over seeds; difference in points, *"
        " p < 0.05; classes that have a node left in the top and in the bottom quarter; rank"
        " correlation (Spearman) of influence with degree; time for computing influence, in the"
        " GNN's epochs",
        cells.droplevel("setting").rename_axis(["quarter", "dataset", "GNN"]),
    )


def sentence(measured: pd.DataFrame) -> str:
    """In how many places the top quarter beat the bottom one, beside the article's claim."""
    accuracy = accuracies(measured)
    gap = gaps(accuracy["top"], accuracy["bottom"], BY)
    overall, per_class = (gap[gap.index.get_level_values(0) == grouping] for grouping in GROUPINGS)
    if overall.empty or per_class.empty:
        return "Not measured yet: GNNs on the top and the bottom quarter."
    return (
        "The InfGraND article claims that the training nodes with the most influence teach a GNN"
        f" more than those with the least, on every graph and with every teacher. This"
        f" {verdict(overall)}. The top quarter of all training nodes is ahead of the bottom quarter"
        f" on {won(overall)}. With quarters of each class, it is ahead on {won(per_class)}."
    )


def of_graphs(measured: pd.DataFrame) -> str:
    """Influence's rank correlation with degree and its cost on each graph, in a sentence."""
    both = accuracies(measured).groupby(BY).size().index
    slowest = epochs(measured).reindex(both).groupby("dataset").max()
    ranks, times = [], []
    for dataset, rank, seconds in graphs(measured).itertuples():
        pace = slowest.get(dataset)
        cost = "" if pace is None else f" ({seconds / pace:.1f} epochs of the slowest GNN)"
        ranks.append(f"{rank:+.2f} on {dataset}")
        times.append(f"{seconds:.3f} s on {dataset}{cost}")
    if not ranks:
        return ""
    return (
        f" The rank correlation of influence with degree is {', '.join(ranks)}."
        f" Computing influence on the CPU takes {', '.join(times)}."
    )


CPU = torch.device("cpu")
WHERE = ["dataset", "protocol", "setting"]


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

    def own(self, measured: pd.DataFrame) -> pd.DataFrame:
        """The rows that the subject would measure in the same way."""
        config, teacher = self.config, measured["teacher"]
        here = (measured[WHERE] == [self.columns[name] for name in WHERE]).all(axis=1)
        graph = (teacher == "") & (measured["configuration"] == self.of_graph)
        asked = (teacher == config.teacher.name) & measured["seed"].isin(config.seeds)
        return measured[here & (graph | asked & (measured["configuration"] == self.of_teachers))]


def run(cases: Sequence[Case], measurements: Measurements) -> Iterator[pd.DataFrame]:
    """Measure what the file does not have yet."""
    console = make_console()
    origin = origin_columns(choose_device(cases[0].config.device))
    for config in (case.config for case in cases):
        subject = make_subject(config, origin)
        known, taken = subject.own(measurements.read()), 0
        yield known
        for fresh in measure_missing(subject, known):
            taken += len(fresh)
            yield fresh
        name = f"{config.dataset.name}, {config.teacher.name}, {config.setting.name}"
        console.print(f"{name}: {taken} measurements taken, {len(known)} known")


def measure_missing(subject: Subject, known: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The measurements that are not ``known``."""
    if not (known["teacher"] == "").any():
        yield measure_graph(subject)
    at_once = replicas_at_once(subject.config, subject.device)
    for subset in SUBSETS:
        mine = (known["grouping"] == subset.grouping) & (known["side"] == subset.side)
        missing = [seed for seed in subject.config.seeds if seed not in set(known["seed"][mine])]
        for chunk in chunks(missing, at_once):
            yield train(subject, subset, chunk)


def make_subject(config: Config, origin: Mapping[str, Any]) -> Subject:
    """Load the graph, split it for every seed, and compute the influence of its nodes."""
    method = only_method(config, InfgrandConfig)
    if method.influence_graph == "published" and config.setting.name == "inductive":
        raise ConfigError(
            ["method.influence_graph=published looks at hidden nodes; this study does not, leave it"
             " out"]
        )  # fmt: skip
    device = choose_device(config.device)
    graph = load_dataset(config.dataset, config.protocol, config.data_dir)
    tasks = [make_task(graph, config, seed) for seed in config.seeds]
    graphs = [task.training_graph for task in tasks]
    code = code_version("gkd_runner.graph.influence")
    of_graph = configuration_hash(
        graph.fingerprint, method.self_loops, method.smallest_cosine, code
    )
    options = [asdict(part) for part in (config.protocol, config.teacher, config.training)]
    code = code_version(
        "gkd_runner.studies.training_subset",
        "gkd_runner.training.teacher",
        "gkd_runner.data.protocols",
    )
    with work_progress():
        found = once_per_object(graphs, lambda graph: graph_influence(graph, method, device))
    return Subject(
        config,
        device,
        {name: getattr(config, name).name for name in WHERE} | dict(origin),
        tasks,
        [one.scores for one in found],
        of_graph,
        configuration_hash(of_graph, *options, device.type, code),
    )


def graph_influence(graph: GraphData, method: InfgrandConfig, device: torch.device) -> Influence:
    """The influence of the graph's nodes, with the method's options."""
    exact = method.smallest_cosine == "exact"
    return node_influence(graph, method.self_loops, device=device, exact=exact)


def measure_graph(subject: Subject) -> pd.DataFrame:
    """Rank correlation of influence with degree, and seconds for computing it on the CPU."""
    graph, method = subject.graph, only_method(subject.config, InfgrandConfig)
    rank = stats.spearmanr(subject.influences[0], degrees(graph)).statistic
    timing = measure(lambda _: graph_influence(graph, method, CPU), lambda: None, CPU)
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
        tasks, config.gnn, config.training, subject.device, lambda *_: ends.append(now())
    )
    epoch = float(np.median(np.diff(ends))) / len(tasks) if len(ends) > 1 else float("nan")
    rows = []
    for task, teacher in zip(tasks, trained, strict=True):
        accuracy = scores(task, teacher.observed_logits, teacher.hidden_logits).test
        common = {
            **subject.columns,
            **asdict(subset),
            "teacher": config.teacher.name,
            "layers": config.gnn.num_layers,
            "hidden_dim": config.gnn.hidden_dim,
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
