"""Warnings that a reader of the numbers needs, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from gkd_runner.results.scores import STAGES, SeedResult

Facts = Mapping[str, Any]
"""One replica's facts, by the columns of ``gkd_runner.results.frame``."""


def warnings_of(result: SeedResult) -> Iterator[str]:
    """The warnings on one replica; both stages are judged on validation accuracy."""
    row = asdict(result)
    for name, stage in STAGES.items():
        row |= {f"{name}_val": stage(result).scores.val}
        row |= {f"{name}_best_epoch": stage(result).best_epoch}
    return warnings_in(row)


def warnings_in(row: Facts) -> Iterator[str]:
    """The warnings on one row of the table of runs."""
    return (text(row) for name, text in WARNINGS.items() if row[name])


def _flat_teacher(row: Facts) -> str:
    advice = (
        f"calibrated with temperature {row['temperature']:.2f}"
        if row["temperature"] < 1
        else "a student distilled on it may collapse: use calibration=temperature"
    )
    best = row["teacher_best_epoch"]  # 0 for a precomputed teacher
    epoch = f" (best epoch {best})" if best else ""
    return f"flat teacher: {_confidence(row)}{epoch}; {advice}"


def _unfinished_teacher(row: Facts) -> str:
    return f"unfinished teacher: {_confidence(row)}; {_cut_short(row['teacher_best_epoch'])}"


def _collapsed_student(row: Facts) -> str:
    return f"collapsed student: {_distance(row)}"


def _unfinished_student(row: Facts) -> str:
    return f"unfinished student: {_distance(row)}; {_cut_short(row['student_best_epoch'])}"


def _confidence(row: Facts) -> str:
    return (
        f"mean top probability {row['teacher_confidence']:.2f} at"
        f" {100 * row['teacher_val']:.1f}% validation accuracy"
    )


def _distance(row: Facts) -> str:
    points = 100 * (row["teacher_val"] - row["student_val"])
    return (
        f"{100 * row['student_val']:.1f}% validation accuracy, {points:.1f} points below its"
        " teacher"
    )


def _cut_short(best_epoch: int) -> str:
    return (
        "training.max_epochs ended it while it still gained (best epoch"
        f" {best_epoch}); raise training.max_epochs"
    )


WARNINGS: dict[str, Callable[[Facts], str]] = {
    "flat_teacher": _flat_teacher,
    "unfinished_teacher": _unfinished_teacher,
    "collapsed_student": _collapsed_student,
    "unfinished_student": _unfinished_student,
}
"""The columns that warn of something, with the sentence on each."""
