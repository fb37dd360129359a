"""The terminal's view of a job: a progress bar per stage, the closing table and the warnings."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Group
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gkd_runner.common.console import make_console, plain_table
from gkd_runner.common.progress import OnProgress, progress_to
from gkd_runner.options.metrics import METRICS
from gkd_runner.options.schema import PrecomputedConfig
from gkd_runner.results.beside import verdict_on
from gkd_runner.results.identity import source_text
from gkd_runner.results.scores import STAGES, RunResult, SeedResult, summarize
from gkd_runner.results.verdict import DISTIL, Verdict
from gkd_runner.results.verdict_text import (
    export_command,
    mean_text,
    nodes_text,
    settling_command,
    verdict_text,
    warning_texts,
)
from gkd_runner.results.warnings import warnings_of
from gkd_runner.runs.kept import kept_text
from gkd_runner.training.fit import Epoch, OnEpochs

FEWEST_EPOCHS = 5
"""Limits of epochs below this show that a run works; its accuracies are not judged."""

MOMENT = 2.0
"""Seconds after which work within a stage gets a bar of its own."""

_SHOW_STAGES = ContextVar("show_stages", default=True)


@contextmanager
def stages_hidden() -> Iterator[None]:
    """Hide the progress bars of single stages while one bar covers a whole sweep."""
    token = _SHOW_STAGES.set(False)
    try:
        yield
    finally:
        _SHOW_STAGES.reset(token)


@contextmanager
def stage_progress(
    stage: str, seeds: Sequence[int], on_epochs: OnEpochs, metric: str
) -> Iterator[OnEpochs]:
    """Show one stage's progress, by ``metric``, while passing epochs on to ``on_epochs``."""
    score = "val" if metric == "accuracy" else f"val {METRICS[metric].title}"
    with _bars() as progress, progress_to(_work_bars(progress)):
        bar = progress.add_task(stage, total=len(seeds), now=f"0/{len(seeds)} seeds")
        done, current = 0, tuple[int, ...]()  # a chunk is done when the next one starts

        def advance(chunk: Sequence[int], epoch: int, records: Sequence[Epoch | None]) -> None:
            nonlocal done, current
            on_epochs(chunk, epoch, records)
            if current != tuple(chunk):
                done, current = done + len(current), tuple(chunk)
            best = max((record.val(metric) for record in records if record), default=0.0)
            now = f"epoch {epoch}  {score} {100 * best:.1f}%"
            progress.update(bar, completed=done, now=f"{done}/{len(seeds)} seeds  {now}")

        yield advance
        progress.update(bar, completed=len(seeds), now=f"{len(seeds)}/{len(seeds)} seeds")


@contextmanager
def work_progress() -> Iterator[None]:
    """Show the progress of long work outside of a job on a terminal."""
    with _bars() as progress, progress_to(_work_bars(progress)):
        yield


def _bars() -> Progress:
    console = make_console(stderr=True)
    columns = (
        TextColumn("{task.description:9}"),
        BarColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
    )
    shown = (console.is_terminal or console.is_jupyter) and _SHOW_STAGES.get()
    return Progress(*columns, console=console, disable=not shown)


def _work_bars(progress: Progress) -> OnProgress:
    """A bar for each work that takes longer than a moment, until it is done."""
    began: dict[str, float] = {}
    bars: dict[str, TaskID] = {}

    def listen(work: str, share: float) -> None:
        now = time.monotonic()
        if now - began.setdefault(work, now) >= MOMENT and work not in bars:
            bars[work] = progress.add_task(work, total=1.0, now="")
        if work in bars:
            progress.update(bars[work], completed=share, now=f"{100 * share:.0f}%")
        if share >= 1:
            began.pop(work)
            if work in bars:
                progress.remove_task(bars.pop(work))

    return listen


def report(result: RunResult) -> Group:
    """The closing table, warnings, the verdict, the run's folder and the tracker's commands."""
    where = [
        hint_line(label, what)
        for label, what in (*(("run", str(path)) for path in result.paths), *result.hint)
    ]
    kept = [Text(f"{'kept':<9}{text}")] if (text := kept_text(result)) else []
    failed = failure_lines(result)
    return Group(_heading(result), _table(result), *kept, *failed, *_judged(result), *where)


def failure_lines(result: RunResult) -> Iterator[Text]:
    """A line for each seed that failed."""
    for failure in result.failures:
        yield Text.assemble(("failed  ", "red"), str(failure))


def failures_text(result: RunResult) -> str:
    """How many seeds failed, and what to do."""
    total = len(result.seeds) + len(result.failures)
    return (
        f"{len(result.failures)} of {total} seeds failed; the others are kept, and the same command"
        " trains the failed ones alone"
    )


def _judged(result: RunResult) -> Iterator[Text]:
    """The warnings and the verdict; of a training too short for any, that it works."""
    epochs = result.config.training.max_epochs
    if epochs < FEWEST_EPOCHS:
        yield Text(f"everything works; after {epochs} epochs at most, the accuracies mean nothing")
        return
    for line in told_warnings(result.seeds):
        yield Text.assemble(("warning ", "yellow"), line)
    yield from verdict_lines(verdict_on(result))


def verdict_lines(verdicts: Sequence[Verdict]) -> Iterator[Text]:
    """The decision whether to distil, a line per graph, and the warnings on it."""
    for verdict in verdicts:
        style = "green" if verdict.decision == DISTIL else "yellow"
        yield Text.assemble(("verdict ", style), verdict_text(verdict, verdicts))
        for warning in warning_texts(verdict):
            yield Text.assemble(("warning ", "yellow"), warning)
        if command := settling_command(verdict):
            yield hint_line("settle", command)
        if command := export_command(verdict):
            yield hint_line("export", command)


def hint_line(label: str, what: str) -> Text:
    """A path or a command on one line, to be copied."""
    return Text(f"{label:<9}{what}", no_wrap=True, overflow="ignore")


def _heading(result: RunResult) -> Text:
    config = result.config
    return Text(
        f"{config.dataset.name}, {config.protocol.name} protocol, {config.setting.name};"
        f" {config.teacher.name} teacher, {config.method.name}; seeds"
        f" {_distinct(seed.seed for seed in result.seeds)}{_splits(result)}\n"
        f"hyperparameters: {source_text(config)}\n"
        f"soft labels: {_origin(result)}{_reused(result)}"
    )


def _origin(result: RunResult) -> str:
    """Where the soft labels come from."""
    if isinstance(result.config.teacher, PrecomputedConfig):
        return f"from {result.config.teacher.logits}"
    hits = sum(seed.teacher_cached for seed in result.seeds)
    return f"{hits} of {len(result.seeds)} from the cache"


def _distinct(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, dict.fromkeys(numbers)))


def _splits(result: RunResult) -> str:
    splits = {seed.split for seed in result.seeds}
    return "" if splits == {0} else f"; splits {_distinct(seed.split for seed in result.seeds)}"


def _reused(result: RunResult) -> str:
    if not result.reused:
        return ""
    return (
        f"\nfinished before: {result.reused} of {len(result.seeds)} students, read from the run's"
        " folder; rerun=true trains again"
    )


def _table(result: RunResult) -> Table:
    seeds, parts = result.seeds, result.seeds[0].student.scores.parts
    spread = f", mean ± population std over {over(seeds)}" if len(seeds) > 1 else ""
    by = result.config.training.select_by
    others = [metric for metric in METRICS if metric != by and seeds[0].student.of(metric)]
    name = METRICS[by].title
    measure = f"in %, {name} unless a row names another metric" if others else f"{name} in %"
    table = plain_table(f"{measure}{spread}")
    for heading in ("", *parts, "epoch", "seconds"):
        table.add_column(
            heading.replace("_", "\n"), justify="right" if heading else "left", no_wrap=True
        )
    for name, stage in STAGES.items():
        trained = any(stage(seed).epochs for seed in seeds)
        cached = name == "teacher" and all(seed.teacher_cached for seed in seeds)
        seconds = "cached" if cached else f"{result.seconds[name]:.1f}"
        table.add_row(
            name,
            *(score_text(seeds, name, part, by) for part in parts),
            _span([stage(seed).best_epoch for seed in seeds]) if trained else "—",
            seconds if trained else "—",
        )
    table.add_row("difference", *(_difference(seeds, part, by) for part in parts))
    for metric, name in itertools.product(others, STAGES):
        label = f"{name}, {METRICS[metric].title}"
        table.add_row(label, *(score_text(seeds, name, part, metric) for part in parts))
    table.add_row("nodes", *(_nodes(seeds, part) for part in parts))
    return table


def _nodes(seeds: Sequence[SeedResult], part: str) -> str:
    """The number of test nodes that a score is over; that of validation is not recorded."""
    counts = {
        "test": [seed.test_nodes for seed in seeds],
        "test_hidden": [seed.hidden_nodes for seed in seeds],
        "test_observed": [seed.test_nodes - seed.hidden_nodes for seed in seeds],
    }.get(part)
    return nodes_text(counts or ())


def _span(epochs: Sequence[int]) -> str:
    low, high = min(epochs), max(epochs)
    return str(low) if low == high else f"{low}-{high}"


def over(seeds: Sequence[SeedResult]) -> str:
    """The repetitions that a mean is over: seeds, or splits and seeds."""
    return "splits and seeds" if len({seed.split for seed in seeds}) > 1 else "seeds"


def score_text(seeds: Sequence[SeedResult], name: str, part: str, metric: str = "accuracy") -> str:
    """Mean ± population std over ``seeds`` of one score of ``teacher`` or ``student``, in %."""
    summary = summarize(seeds, STAGES[name], part, metric)
    return mean_text(summary.mean, summary.std, len(seeds)) if summary else "—"


def _difference(seeds: Sequence[SeedResult], part: str, metric: str) -> str:
    student, teacher = (
        summarize(seeds, STAGES[name], part, metric) for name in ("student", "teacher")
    )
    return f"{100 * (student.mean - teacher.mean):+.2f}" if student and teacher else ""


def told_warnings(seeds: Sequence[SeedResult]) -> Iterator[str]:
    """The warnings on all seeds, each with its seed and split."""
    for seed in seeds:
        for warning in warnings_of(seed):
            split = f" split {seed.split}" if seed.split else ""
            yield f"seed {seed.seed}{split}: {warning}"
