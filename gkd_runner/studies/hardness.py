"""What is hard, does HGMD help there, which of its two hardnesses does it, and what does it cost?

Quarters are of the test nodes, by the knowledge hardness of the teacher that all methods share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gkd_runner.common.errors import ConfigError
from gkd_runner.nodes.predictions import run_columns
from gkd_runner.nodes.quarters import accuracy_by_hardness
from gkd_runner.nodes.table import NodeTable, split_column
from gkd_runner.options.schema import Config, MethodConfig
from gkd_runner.runs.environment import choose_device
from gkd_runner.runs.reload import reload_run
from gkd_runner.studies.extraction import seconds_per_epoch
from gkd_runner.studies.hardness_report import BINS, HARDNESSES, HGMD, PLAIN, sentence, tables
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.origin import origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Finding, Study, Variant
from gkd_runner.studies.sweep import TEACHER, Done, SweepLine, run_cases

AS_PUBLISHED = ("", "both")
"""The variants whose nodes are looked at."""


def run(cases: Sequence[Case], lines: Lines[SweepLine]) -> Finding:
    """Run what is missing, look at the nodes, time the methods, and report."""
    if cases[0].config.cache == "off":
        raise ConfigError(["cache=off: the study looks at the cached teachers; leave it out"])
    found = list[SweepLine]()

    def keep(fresh: Iterator[SweepLine]) -> None:
        added = list(fresh)
        lines.add(added)
        found.extend(added)

    cases_done = run_cases(cases)
    for done in cases_done:
        keep(done.accuracies())
    for done in cases_done:
        if done.case.variant in AS_PUBLISHED:
            keep(look_at_nodes(done))
    for done in cases_done:
        if done.method == "glnn":
            keep(extraction_costs(done, cases_done))
    return Finding(tables(found), sentence(found))


def look_at_nodes(done: Done) -> Iterator[SweepLine]:
    """Accuracy by quarter and histograms of hardness, of the student; with glnn, of the teacher.

    Nodes that are harder than any observed one, as hidden nodes may be, count as the hardest.
    """
    columns = {done.method: "distillation_hardness"}
    if done.method == "glnn":  # all share its teacher
        columns[TEACHER] = "knowledge_hardness"
    for run, seed in done.seeds():
        found = reload_run(run.path, seed.seed, _places(done.case.config))
        nodes = NodeTable({"split": split_column(found.task), **run_columns(found)})
        quarters = accuracy_by_hardness(nodes)
        for name, column in columns.items():
            for quarter in quarters:
                accuracy = quarter.teacher if name == TEACHER else quarter.student
                yield done.line(
                    run, seed.seed, "accuracy", accuracy, method=name, part=quarter.name
                )
            counts, edges = np.histogram(nodes[column].compressed().clip(0, 1), BINS, (0, 1))
            for count, edge in zip(counts, edges[:-1], strict=True):
                share = float(count / counts.sum())
                yield done.line(run, seed.seed, column, share, method=name, part=f"{edge:.2f}")


def extraction_costs(glnn: Done, cases: Sequence[Done]) -> Iterator[SweepLine]:
    """Seconds per epoch of glnn and of the HGMD methods, on the first seed of glnn's place."""
    beside = {
        done.method: done
        for done in cases
        if done.place == glnn.place and (done is glnn or done.case.variant == "both")
    }
    methods: dict[str, MethodConfig] = {
        name: done.case.config.method for name, done in beside.items()
    }
    config = glnn.case.config
    device = choose_device(config.device)
    origin = origin_columns(device)
    run, first = next(glnn.seeds())
    seed = reload_run(run.path, first.seed, _places(config))
    for name, seconds in seconds_per_epoch(seed, methods, device).items():
        done = beside[name]
        yield done.line(
            done.runs[first.seed], first.seed, "seconds_per_epoch", seconds, origin=origin
        )


def _places(config: Config) -> Mapping[str, str]:
    """Where teachers and data lie now, wherever they lay when the run was made."""
    return {"cache_dir": config.cache_dir, "data_dir": config.data_dir}


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    line=SweepLine,
    run=run,
    variants=[
        *(Variant("", {"method": method}) for method in PLAIN),
        *(
            Variant(hardness, {"method": method, "method.hardness": hardness})
            for method in HGMD
            for hardness in HARDNESSES
        ),
    ],
)
