"""The texts of a sweep: its plan at the start, its results and failures at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from gkd_runner.common.console import plain_table
from gkd_runner.common.errors import on_one_line
from gkd_runner.data.task import Replica
from gkd_runner.results.beside import against_baseline, chosen, with_baseline
from gkd_runner.results.compare import baseline
from gkd_runner.results.frame import newest
from gkd_runner.results.scores import SeedResult
from gkd_runner.results.stored import StoredRun
from gkd_runner.results.verdict import verdicts_of
from gkd_runner.results.verdict_text import nodes_text
from gkd_runner.runs.display import accuracy_text, verdict_lines
from gkd_runner.sweeps.folder import Failure, Sweep
from gkd_runner.sweeps.progress import duration
from gkd_runner.sweeps.survey import Plan

UNSEEN = "not run"


def plan_text(plan: Plan) -> Group:
    """Count finished and missing cells and teachers, and name the cells that cannot start."""
    total = len(plan.cells)
    lines = [
        f"{_cells(total)}: {plan.done} finished before, {total - plan.done} to run",
        f"teachers for them: {plan.teachers_cached} cached, {plan.teachers_to_train} to train",
    ]
    problems = Counter(on_one_line(cell.problem) for cell in plan.cells if cell.problem)
    wrong = [
        Text.assemble(("will fail ", "red"), f"{_cells(count)}: {problem}")
        for problem, count in problems.items()
    ]
    return Group(*map(Text, lines), *wrong)


def closing(sweep: Sweep, seconds: float) -> Group:
    """List all cells with their accuracies, the verdict on each graph, and the failures."""
    failures = {failure.number: failure for failure in sweep.failures()}
    parts: list[RenderableType] = []
    if sweep.cells:
        parts += _results(sweep, set(failures))
    if failures:
        parts += [_failures(sweep, failures)]
    parts.append(Text(f"{duration(seconds)} in all; compare with gkd-tables"))
    return Group(*parts)


def _results(sweep: Sweep, failed: set[int]) -> Iterator[RenderableType]:
    """The table of all cells, its caption, and the verdict on each graph."""
    found = [cell.runs() for cell in sweep.cells]
    tables = [chosen(runs) for runs in found]
    runs = with_baseline(newest(pd.concat(tables)))
    table = plain_table()
    table.add_column("cell", overflow="fold")
    for heading in ("n", "nodes", "teacher", "student", "- teacher", f"- {baseline()}"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, (cell, done, rows) in enumerate(zip(sweep.cells, found, tables, strict=True)):
        if len(done) == len(cell.replicas):
            gap = against_baseline(rows, runs)
            beside = f"{100 * gap.mean:+.2f}" if gap else ""
            table.add_row(cell.label, str(len(done)), *_accuracies(_seeds(done)), beside)
        else:
            state = "failed" if number in failed else UNSEEN
            table.add_row(cell.label, str(len(done)), "", state)
    yield table
    yield Text(
        "test accuracy in %, over all test nodes: mean ± population std over splits and seeds;"
        " differences of the student in points, paired"
    )
    yield from verdict_lines(verdicts_of(runs))


def _seeds(runs: Mapping[Replica, StoredRun]) -> list[SeedResult]:
    return [seed for replica, run in runs.items() for seed in run.seeds if seed.replica == replica]


def _accuracies(seeds: Sequence[SeedResult]) -> Iterator[str]:
    yield nodes_text(seed.test_nodes for seed in seeds)
    yield accuracy_text(seeds, "teacher", "test")
    yield accuracy_text(seeds, "student", "test")
    gap = sum(seed.student.scores.test - seed.teacher.scores.test for seed in seeds) / len(seeds)
    yield f"{100 * gap:+.2f}"


def _failures(sweep: Sweep, failures: dict[int, Failure]) -> Group:
    lines = [Text(f"{_cells(len(failures))} failed:", style="red")]
    for number, failure in failures.items():
        label = sweep.label(number)
        lines += [Text(f"  {label}: {failure.one_line}")]
        lines += [Text(f"    log {failure.log}", no_wrap=True, overflow="ignore")]
    return Group(*lines)


def _cells(count: int) -> str:
    return f"{count} {'cell' if count == 1 else 'cells'}"
