"""The texts of a sweep: its plan at the start, its results and failures at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from gkd_runner.common.console import plain_table
from gkd_runner.common.errors import on_one_line
from gkd_runner.common.lazy import pd
from gkd_runner.data.task import Replica
from gkd_runner.options.metrics import METRICS, selecting_metric
from gkd_runner.results.beside import against_baseline, chosen, with_baseline
from gkd_runner.results.compare import baseline, mean, std
from gkd_runner.results.frame import newest
from gkd_runner.results.scores import STAGES, RunResult
from gkd_runner.results.selection import with_scores
from gkd_runner.results.stored import StoredRun
from gkd_runner.results.verdict import verdicts_of
from gkd_runner.results.verdict_text import NODES, mean_text, nodes_text, points_text
from gkd_runner.runs.display import score_text, told_warnings, verdict_lines
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


def one_line(label: str, result: RunResult) -> Group:
    """A cell of a sweep: its test scores and its warnings."""
    if result.reused == len(result.seeds):
        return Group(Text(f"{label}: finished before"))
    part = "test_hidden" if result.config.setting.name == "inductive" else "test"
    scores = {
        METRICS[metric].title: ", ".join(
            f"{name} {score_text(result.seeds, name, part, metric)}"
            for name in ("student", "teacher")
        )
        for metric in dict.fromkeys((result.config.training.select_by, "accuracy"))
    }
    several = "; ".join(f"{title} of {text}" for title, text in scores.items())
    told = several if len(scores) > 1 else scores["accuracy"]
    seconds = f"{sum(result.seconds.values()):.0f} s"
    warnings = [
        Text.assemble(("  warning ", "yellow"), line) for line in told_warnings(result.seeds)
    ]
    return Group(Text(f"{label}: {told} (% of {NODES[part]}), {seconds}"), *warnings)


def closing(sweep: Sweep, seconds: float) -> Group:
    """List all cells with their scores, the verdict on each graph, and the failures."""
    failures = {failure.number: failure for failure in sweep.failures()}
    found = [cell.runs() for cell in sweep.cells]
    metrics = sorted({run.select_by for runs in found for run in runs.values()}) or ["accuracy"]
    parts: list[RenderableType] = []
    if sweep.cells:
        parts += _results(sweep, found, set(failures), metrics)
    if failures:
        parts += [_failures(sweep, failures)]
    by = "" if metrics[0] == "accuracy" else f" --metric {metrics[0]}"
    parts.append(Text(f"{duration(seconds)} in all; compare with gkd-tables{by}"))
    return Group(*parts)


def _results(
    sweep: Sweep,
    found: Sequence[Mapping[Replica, StoredRun]],
    failed: set[int],
    metrics: Sequence[str],
) -> Iterator[RenderableType]:
    """The table of all cells, its caption, and the verdict on each graph.

    Each cell is shown by the one of ``metrics`` that selected its epochs.
    """
    tables = [chosen(runs) for runs in found]
    runs = with_baseline(newest(pd.concat(tables)))
    table = plain_table()
    table.add_column("cell", overflow="fold")
    for heading in ("n", "nodes", "teacher", "student", "- teacher", f"- {baseline()}"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, (cell, done, rows) in enumerate(zip(sweep.cells, found, tables, strict=True)):
        if len(done) == len(cell.replicas):
            gap = against_baseline(rows, runs)
            beside = points_text(gap.mean) if gap else ""
            table.add_row(cell.label, str(len(done)), *_scores(rows), beside)
        else:
            state = "failed" if number in failed else UNSEEN
            table.add_row(cell.label, str(len(done)), "", state)
    yield table
    yield Text(
        f"{_titles(metrics)} in % of the {_parts(runs)}: mean ± population std over splits and"
        " seeds; differences of the student in points, paired"
    )
    yield from verdict_lines(verdicts_of(runs))


def _titles(metrics: Sequence[str]) -> str:
    names = " or ".join(METRICS[metric].title for metric in metrics)
    return f"{names}, whichever selected the epochs," if len(metrics) > 1 else names


def _parts(runs: pd.DataFrame) -> str:
    """The nodes that the scores are over, as in ``with_scores``."""
    inductive = runs["setting"] == "inductive"
    if len(runs) and inductive.all():
        return NODES["test_hidden"]
    return "test nodes, inductive of the hidden ones" if inductive.any() else NODES["test"]


def _scores(cell: pd.DataFrame) -> Iterator[str]:
    rows = with_scores(cell, metric=selecting_metric(cell["changed"].iloc[0]))
    yield nodes_text(rows["nodes"])
    for stage in STAGES:
        scores = rows[f"{stage}_score"]
        yield mean_text(mean(scores), std(scores), len(scores))
    yield points_text(mean(rows["student_score"] - rows["teacher_score"]))


def _failures(sweep: Sweep, failures: dict[int, Failure]) -> Group:
    lines = [Text(f"{_cells(len(failures))} failed:", style="red")]
    for number, failure in failures.items():
        label = sweep.label(number)
        lines += [Text(f"  {label}: {failure.one_line}")]
        log = failure.log or "not written"
        lines += [Text(f"    log {log}", no_wrap=True, overflow="ignore")]
    return Group(*lines)


def _cells(count: int) -> str:
    return f"{count} {'cell' if count == 1 else 'cells'}"
