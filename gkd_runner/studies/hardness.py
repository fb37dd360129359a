"""What is hard, does HGMD help there, which of its two hardnesses does it, and what does it cost?

Quarters are of the test nodes, by the knowledge hardness of the teacher that all methods share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gkd_runner.config.schema import MethodConfig
from gkd_runner.environment import choose_device
from gkd_runner.nodes.inspected import inspect_run
from gkd_runner.nodes.summary import QUARTILES, accuracy_by_hardness
from gkd_runner.reload import reload_run
from gkd_runner.studies.extraction import seconds_per_epoch
from gkd_runner.studies.hardness_report import HARDNESSES, HGMD, PLAIN, sentence, tables
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.study import Case, Report, Study, Variant
from gkd_runner.studies.sweep import DEFAULTS, KEY, TEACHER, Done, Line, run_cases

BINS = 20
"""Of the histograms of hardness over [0, 1]."""

AS_PUBLISHED = ("", "both")
"""The variants whose nodes are looked at."""


def run(cases: Sequence[Case], lines: Lines[Line]) -> Report:
    """Run what is missing, look at the nodes, time the methods, and report."""
    cases_done = run_cases(cases)
    found = [line for done in cases_done for line in done.accuracies(teacher=False)]
    for done in cases_done:
        if done.case.variant in AS_PUBLISHED:
            found += look_at_nodes(done)
    found += extraction_costs(cases_done)
    lines.add(found)
    return Report(tables(found), sentence(found))


def look_at_nodes(done: Done) -> Iterator[Line]:
    """Accuracy by quarter and histograms of hardness, of the student; with glnn, of the teacher."""
    method = done.case.config.method.name
    for run, seed in done.seeds():
        nodes = inspect_run(run.path, seed.seed).table
        columns = {method: "distillation_hardness"}
        if method == "glnn":  # all share its teacher
            columns[TEACHER] = "knowledge_hardness"
            yield done.line(run, seed.seed, TEACHER, "accuracy", seed.teacher.scores.prod)
        quarters = accuracy_by_hardness(nodes)
        for name, column in columns.items():
            for part, quarter in zip(QUARTILES, quarters, strict=False):
                _, _, of_teacher, of_student = quarter
                accuracy = of_teacher if name == TEACHER else of_student
                yield done.line(run, seed.seed, name, "accuracy", accuracy, part)
            counts, edges = np.histogram(nodes[column].compressed(), BINS, (0, 1))
            for count, edge in zip(counts, edges[:-1], strict=True):
                share = float(count / counts.sum())
                yield done.line(run, seed.seed, name, column, share, f"{edge:.2f}")


def extraction_costs(cases: Sequence[Done]) -> Iterator[Line]:
    """Seconds per epoch of glnn and of the HGMD methods on each graph's first seed."""
    for done in cases:
        if done.case.config.method.name != "glnn":
            continue
        run, first = next(done.seeds())
        beside = [other for other in cases if _place(other) == _place(done)]
        methods: dict[str, MethodConfig] = {
            other.case.config.method.name: other.case.config.method
            for other in beside
            if other is done or other.case.variant == "both"
        }
        device = choose_device(done.case.config.device)
        seconds = seconds_per_epoch(reload_run(run.path, first.seed), methods, device)
        for name, value in seconds.items():
            yield done.line(run, first.seed, name, "seconds_per_epoch", value)


def _place(done: Done) -> tuple[str, str]:
    return done.case.config.dataset.name, done.case.config.teacher.name


STUDY = Study(
    defaults=DEFAULTS,
    line=Line,
    key=KEY,
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
