"""Panels and run sets of the dashboard in W&B, over the metrics that runs log.

``scripts/wandb_dashboard.py`` puts them together. Needs the extra ``dashboard``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr

from gkd_runner.tracking import metrics
from gkd_runner.tracking.metrics import IDENTITY, STUDENT, TEACHER

Where = Mapping[str, Sequence[str]]
"""The runs to compare: allowed values of names in ``IDENTITY``."""

SHOWN = 100
"""Runs or groups in a panel; W&B's own limit of 10 is two configurations of five seeds."""

SUMMARIES = (
    STUDENT.score("test"),
    TEACHER.score("test"),
    STUDENT.score("test_hidden"),
    STUDENT.score("val"),
    TEACHER.score("val"),
    metrics.AGREEMENT,
    metrics.KL,
    metrics.TEACHER_CONFIDENCE,
    metrics.TEMPERATURE,
    TEACHER.best_epoch,
    STUDENT.best_epoch,
    TEACHER.seconds,
    STUDENT.seconds,
    metrics.WARNINGS,
)
"""The run table's columns, after those that name a run."""


def accuracy_panels() -> list[wr.BarPlot]:
    """Accuracies of student and teacher; only inductive runs have hidden nodes."""
    return [
        bars("Test accuracy", STUDENT.score("test"), TEACHER.score("test")),
        bars(
            "Test accuracy on hidden nodes (inductive)",
            STUDENT.score("test_hidden"),
            TEACHER.score("test_hidden"),
        ),
    ]


def scatter_panels() -> list[wr.ScatterPlot]:
    """The student against its own teacher."""
    return [
        scatter("Student against teacher", TEACHER.score("test"), STUDENT.score("test")),
        scatter("Flat teachers, collapsed students", metrics.TEACHER_CONFIDENCE,
                STUDENT.score("test")),
        scatter("Agreement and accuracy", metrics.AGREEMENT, STUDENT.score("test")),
    ]  # fmt: skip


def curve_panels() -> list[wr.LinePlot]:
    """Both stages, each over its own epochs."""
    return [
        curves("Student: validation accuracy", STUDENT.epoch, STUDENT.score("val")),
        curves("Teacher: validation accuracy", TEACHER.epoch, TEACHER.score("val")),
        curves("Student: loss", STUDENT.epoch, STUDENT.loss, STUDENT.val_loss),
        curves("Teacher: loss", TEACHER.epoch, TEACHER.loss, TEACHER.val_loss),
    ]


def diagnostic_panels() -> list[wr.BarPlot]:
    """Agreement of student and teacher, and their calibration errors."""
    return [
        bars("Agreement with the teacher", metrics.AGREEMENT),
        bars("KL divergence from teacher to student (nats)", metrics.KL),
        bars(
            "Expected calibration error",
            metrics.STUDENT_CALIBRATION_ERROR,
            metrics.TEACHER_CALIBRATION_ERROR,
        ),
        bars("Student's accuracy where the teacher errs", metrics.ACCURACY_WHERE_TEACHER_ERRS),
    ]


GROUPS: dict[str, Any] = {
    "groupby_aggfunc": "mean",
    "groupby_rangefunc": "stddev",
    "max_runs_to_show": SHOWN,
}
"""Panels show means and standard deviations, as the run set groups the runs."""


def bars(title: str, *names: str) -> wr.BarPlot:
    """A bar per metric and group of runs."""
    return wr.BarPlot(
        title=title, metrics=list(names), max_bars_to_show=SHOWN, layout=_half(), **GROUPS
    )


def curves(title: str, epoch: str, *names: str) -> wr.LinePlot:
    """A line per metric and group of runs, with a band."""
    return wr.LinePlot(
        title=title, x=epoch, y=list(names), title_x="epoch", layout=_half(), **GROUPS
    )


def scatter(title: str, x: str, y: str) -> wr.ScatterPlot:
    """A point per run, or per group of runs."""
    return wr.ScatterPlot(title=title, x=wr.SummaryMetric(x), y=wr.SummaryMetric(y), layout=_half())


def _half() -> wr.Layout:
    return wr.Layout(w=12, h=8)  # of a grid 24 wide; labels of groups are long


def grouped(where: Where) -> wr.Runset:
    """The runs, grouped by method and by the names that ``where`` leaves several values."""
    keys = [name for name in IDENTITY if name == "method" or len(where.get(name, ())) != 1]
    return wr.Runset(
        name="Over seeds",
        filters=filters(where),
        groupby=[f"config.{IDENTITY[name]}" for name in keys],
    )


def runs(where: Where) -> wr.Runset:
    """The runs one by one, and the columns of their table."""
    paths = [*IDENTITY.values(), "seed"]
    return wr.Runset(
        name="Seeds",
        filters=filters(where),
        pinned_columns=["run:displayName"],
        visible_columns=[
            *(f"config:{_stored(path)}" for path in paths),
            *(f"summary:{name}" for name in SUMMARIES),
        ],
        lock_columns=True,
    )


def filters(where: Where) -> str:
    """``where`` in the language of W&B's filters."""
    return " and ".join(
        f'Config("{_stored(IDENTITY[name])}") in {list(values)}' for name, values in where.items()
    )


def _stored(path: str) -> str:
    """The path by which W&B stores a config value: ``method.name`` is ``method.value.name``."""
    first, *rest = path.split(".")
    return ".".join((first, "value", *rest))
