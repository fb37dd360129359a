"""The texts of a sweep: its plan at the start, its results and failures at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gkd_runner.common.console import plain_table
from gkd_runner.common.errors import on_one_line
from gkd_runner.data.task import Replica
from gkd_runner.results.scores import SeedResult
from gkd_runner.runs.display import accuracy_text
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
    """List all cells with their test accuracies, and the failures with their causes and logs."""
    failures = {failure.number: failure for failure in sweep.failures()}
    parts: list[RenderableType] = []
    if sweep.cells:
        caption = (
            "test accuracy in %, over all test nodes: mean ± population std over splits and seeds"
        )
        parts += [_results(sweep, set(failures)), Text(caption)]
    if failures:
        parts += [_failures(sweep, failures)]
    parts.append(Text(f"{duration(seconds)} in all; compare with gkd-tables"))
    return Group(*parts)


def _results(sweep: Sweep, failed: set[int]) -> Table:
    table = plain_table()
    table.add_column("cell", overflow="fold")
    for heading in ("n", "teacher", "student", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, cell in enumerate(sweep.cells):
        runs = cell.runs()
        seeds = [_of(runs[wanted].seeds, wanted) for wanted in cell.replicas if wanted in runs]
        if len(seeds) == len(cell.replicas):
            table.add_row(cell.label, str(len(seeds)), *_accuracies(seeds))
        else:
            table.add_row(cell.label, str(len(seeds)), "failed" if number in failed else UNSEEN)
    return table


def _of(seeds: tuple[SeedResult, ...], wanted: Replica) -> SeedResult:
    return next(seed for seed in seeds if seed.replica == wanted)


def _accuracies(seeds: list[SeedResult]) -> Iterator[str]:
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
