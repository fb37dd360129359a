"""Run the cells of a sweep and continue after failures."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from gkd_runner.common.console import make_console, show_log
from gkd_runner.common.locks import is_held
from gkd_runner.config.command_line import Cell
from gkd_runner.options.schema import Config
from gkd_runner.results.stored import cell_folder, lock_file, trains_again
from gkd_runner.runs.display import stages_hidden
from gkd_runner.runs.train import train
from gkd_runner.sweeps.folder import Planned, Sweep, begin
from gkd_runner.sweeps.launching import check_slurm, launching
from gkd_runner.sweeps.progress import progress
from gkd_runner.sweeps.report import closing, one_line, plan_text
from gkd_runner.sweeps.survey import Plan, Surveyed, survey
from gkd_runner.training.failures import FailedSeedsError


def run_sweep(cells: Sequence[Cell], launch: Callable[[Path], object], *, listed: bool) -> None:
    """Print the plan, let ``launch`` run the cells, print the results; exit 1 if any cell fails.

    ``launch`` gets the sweep's folder, which each of its processes hands to ``read_sweep``. Raises
    ``LaunchError`` if the launcher ends before the cells have.

    Without ``listed`` a sweeper chooses the cells as it goes, so there is no plan and no table.
    """
    check_slurm(sys.argv)
    output_dir = Path(cells[0].config.output_dir)
    with _sweep(cells if listed else (), output_dir) as (sweep, _), launching(sweep.path):
        if sweep.runs_something:
            launch(sweep.path)
    _exit_unless_done(sweep)


def run_all(cells: Sequence[Cell]) -> Plan:
    """Run the cells in this process and return their plan; exit 1 if any cell fails.

    Cells that another job is running come last. One progress bar covers all cells.
    """
    with _sweep(cells, Path(cells[0].config.output_dir)) as (sweep, plan):
        _run_in_turn(sweep, plan)
    _exit_unless_done(sweep)
    return plan


@contextmanager
def _sweep(cells: Sequence[Cell], output_dir: Path) -> Iterator[tuple[Sweep, Plan]]:
    show_log()
    console, started = make_console(), time.monotonic()
    plan = survey(cells)
    if cells:
        console.print(plan_text(plan))
    sweep = begin(output_dir, _planned(plan))
    try:
        yield sweep, plan
    finally:
        console.print(closing(sweep, time.monotonic() - started), crop=False)


def _exit_unless_done(sweep: Sweep) -> None:
    now = progress(sweep)
    if now.done < now.total or now.failed:
        sys.exit(f"gkd-runner: {now}")


def _run_in_turn(sweep: Sweep, plan: Plan) -> None:
    console = make_console()
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        stages_hidden(),
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("", total=len(plan.cells), completed=plan.done)
        for number in _free_first(plan):
            cell = plan.cells[number].cell
            bar.update(task, description=f"{progress(sweep)}; now {cell.label}")
            run_cell(sweep, number, cell.config, bar.console)
            bar.update(task, completed=progress(sweep).done, description=str(progress(sweep)))


def _free_first(plan: Plan) -> Iterator[int]:
    """Numbers of the unfinished cells; those that another job is running come last."""
    left = [number for number, cell in enumerate(plan.cells) if cell.missing]
    while left:
        free = (n for n in left if not is_held(_lock(plan.cells[n])))
        number = next(free, left[0])
        left.remove(number)
        yield number


def _lock(cell: Surveyed) -> Path:
    return lock_file(cell.cell.config, cell.key)


def _planned(plan: Plan) -> list[Planned]:
    return [
        Planned(
            label=surveyed.cell.label,
            dataset=surveyed.cell.config.dataset.name,
            folder=str(cell_folder(surveyed.cell.config).absolute()),
            key=surveyed.key,
            replicas=surveyed.replicas,
            done=not surveyed.missing,
            again=trains_again(surveyed.cell.config),
        )
        for surveyed in plan.cells
    ]


def run_cell(sweep: Sweep, number: int, config: Config, console: Console | None = None) -> float:
    """Run one cell and return its mean validation score, or NaN if it failed.

    With ``on_error=stop`` it does not start if another cell of the sweep has failed.
    """
    if config.on_error == "stop" and sweep.failures():
        return math.nan
    console = console or make_console()
    label = sweep.label(number)
    try:
        result = train(config)
        if result.failures:  # their seeds are missing, the others' results are kept
            raise FailedSeedsError(result.failures)
    except Exception as error:
        failure = sweep.record_failure(number, config, error)
        console.print(Text(f"{label}: failed: {failure.one_line}", style="red"), crop=False)
        if config.on_error == "stop":
            log = f"; the log is {failure.log}" if failure.log else ""
            console.print(f"stopped, as on_error=stop{log}", soft_wrap=True)
        return math.nan
    console.print(one_line(label, result), crop=False)
    if sweep.cells and result.reused < len(result.seeds):
        console.print(f"  {progress(sweep)}")
    return result.val_score
