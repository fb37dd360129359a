"""Warnings that a reader of the numbers needs, as sentences."""

from __future__ import annotations

from collections.abc import Iterator

from gkd_runner.results.scores import SeedResult


def warnings_of(result: SeedResult) -> Iterator[str]:
    """The warnings on one seed; both are judged on validation accuracy."""
    teacher, student = result.teacher, result.student
    if result.flat_teacher:
        yield flat_teacher_text(
            result.teacher_confidence, teacher.scores.val, teacher.best_epoch, result.temperature
        )
    if result.collapsed_student:
        yield collapsed_student_text(teacher.scores.val, student.scores.val)


def flat_teacher_text(
    confidence: float, val_accuracy: float, best_epoch: int, temperature: float
) -> str:
    """The warning on a teacher whose soft labels are almost uniform."""
    advice = (
        f"calibrated with temperature {temperature:.2f}"
        if temperature < 1
        else "a student distilled on it may collapse: use calibration=temperature"
    )
    return (
        f"flat teacher: mean top probability {confidence:.2f} at {100 * val_accuracy:.1f}%"
        f" validation accuracy (best epoch {best_epoch}); {advice}"
    )


def collapsed_student_text(teacher_val: float, student_val: float) -> str:
    """The warning on a student that is far below its teacher."""
    return (
        f"collapsed student: {100 * student_val:.1f}% validation accuracy,"
        f" {100 * (teacher_val - student_val):.1f} points below its teacher"
    )
