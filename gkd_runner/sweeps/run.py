"""Run a sweep's cells, whoever launches them, and go on where one fails."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gkd_runner.config.command_line import Cell
from gkd_runner.config.schema import Config
from gkd_runner.console import make_console, one_line
from gkd_runner.stored import cell_folder
from gkd_runner.sweeps.folder import Planned, Sweep, begin
from gkd_runner.sweeps.progress import progress
from gkd_runner.sweeps.report import closing, plan_text
from gkd_runner.sweeps.survey import Plan, survey
from gkd_runner.train import train


def run_sweep(cells: Sequence[Cell], launch: Callable[[], object], *, listed: bool) -> None:
    """Print the plan, ``launch`` the cells, print what came out; exit 1 where any failed.

    Without ``listed`` a sweeper of its own chooses the cells, so that there is no plan and no table
    of results.
    """
    console, started = make_console(), time.monotonic()
    planned = []
    if listed:
        plan = survey(cells)
        console.print(plan_text(plan))
        planned = _planned(plan)
    sweep = begin(Path(cells[0].config.output_dir), planned)
    try:
        launch()
    finally:
        sweep.end()
        console.print(closing(sweep, time.monotonic() - started), crop=False)
    now = progress(sweep)
    if now.done < now.total or now.failed:
        sys.exit(f"gkd-train: {now}")


def _planned(plan: Plan) -> list[Planned]:
    return [
        Planned(
            label=found.cell.label,
            dataset=found.cell.config.dataset.name,
            folder=str(cell_folder(found.cell.config).absolute()),
            key=found.key,
            seeds=tuple(found.cell.config.seeds),
            done=not found.missing,
        )
        for found in plan.cells
    ]


def run_cell(sweep: Sweep, number: int, config: Config) -> float:
    """Run one cell; its mean validation accuracy, or NaN where it failed.

    With ``on_error=stop`` a cell does not start once another has failed, in whichever process.
    """
    if config.on_error == "stop" and sweep.failures():
        return math.nan
    console = make_console()
    label = sweep.label(number)
    try:
        result = train(config)
    except Exception as error:
        failure = sweep.record_failure(number, config, error)
        print(f"gkd-train: failed: {label}: {failure.one_line}", file=sys.stderr)
        if config.on_error == "stop":
            print("gkd-train: stopped, as on_error=stop", file=sys.stderr)
        return math.nan
    console.print(one_line(label, result), crop=False)
    if sweep.cells and result.reused < len(result.seeds):
        console.print(f"  {progress(sweep)}")
    return result.val_accuracy
