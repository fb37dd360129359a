"""What a run found: per seed and over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gkd_runner.config.schema import Config
from gkd_runner.data.task import Task
from gkd_runner.diagnostics import Diagnostics, diagnose
from gkd_runner.training.calibration import mean_confidence
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Scores, Trained, scores

PARTS = ("val", "tran", "ind", "prod")

FLAT_SHARE = 0.5
"""A teacher is flat when its mean top probability is below this share of its val accuracy."""

COLLAPSE_GAP = 0.10
"""A distilled student has collapsed when its val accuracy is this far below its teacher's."""


@dataclass(frozen=True)
class StageResult:
    """One seed's teacher or student: accuracies in [0, 1], epochs from 1, seconds of training."""

    scores: Scores
    best_epoch: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class SeedResult:
    """One seed."""

    seed: int
    split_hash: str
    teacher: StageResult
    student: StageResult
    teacher_cached: bool
    teacher_confidence: float
    temperature: float
    diagnostics: Diagnostics
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """Mean and population standard deviation over seeds, in [0, 1]."""

    mean: float
    std: float


@dataclass(frozen=True)
class RunResult:
    """One finished job.

    ``seconds`` is wall time per stage; ``hint`` has labelled commands to look at the job with.
    """

    config: Config
    path: Path
    seeds: tuple[SeedResult, ...]
    seconds: dict[str, float]
    hint: tuple[tuple[str, str], ...]

    @property
    def val_accuracy(self) -> float:
        """Mean validation accuracy of the students: what a search may maximise."""
        return float(np.mean([seed.student.scores.val for seed in self.seeds]))


def seed_result(task: Task, labels: SoftLabels, student: Trained, *, distils: bool) -> SeedResult:
    """Score one seed. Test labels are read here, after all training, and nowhere before."""
    teacher = labels.teacher
    teacher_result, student_result = (_stage(task, trained) for trained in (teacher, student))
    confidence = mean_confidence(teacher.observed_logits)
    return SeedResult(
        seed=task.seed,
        split_hash=task.split.fingerprint,
        teacher=teacher_result,
        student=student_result,
        teacher_cached=labels.cached,
        teacher_confidence=confidence,
        temperature=labels.temperature,
        diagnostics=_diagnostics(task, labels, student),
        warnings=tuple(
            _warnings(teacher_result, student_result, confidence, labels.temperature)
            if distils
            else ()
        ),
    )


def _stage(task: Task, trained: Trained) -> StageResult:
    return StageResult(
        scores(task, trained.observed_logits, trained.hidden_logits),
        trained.best_epoch,
        len(trained.history),
        trained.seconds,
    )


def _diagnostics(task: Task, labels: SoftLabels, student: Trained) -> Diagnostics:
    """On the test nodes, the observed ones first; the teacher as it teaches, calibrated."""
    teacher_logits, student_logits = (
        np.concatenate([trained.observed_logits[task.seen.test], trained.hidden_logits])
        for trained in (labels.teacher, student)
    )
    classes = np.concatenate(
        [task.training_graph.labels[task.seen.test], task.graph.labels[task.hidden]]
    )
    return diagnose(teacher_logits / np.float32(labels.temperature), student_logits, classes)


def _warnings(
    teacher: StageResult, student: StageResult, confidence: float, temperature: float
) -> list[str]:
    """What a reader of the numbers must know; judged on validation accuracy alone."""
    found = []
    if confidence < FLAT_SHARE * teacher.scores.val:
        mended = temperature < 1
        found.append(
            f"flat teacher: mean top probability {confidence:.2f} at"
            f" {100 * teacher.scores.val:.1f}% validation accuracy (best epoch"
            f" {teacher.best_epoch}); "
            + (
                f"calibrated with temperature {temperature:.2f}"
                if mended
                else "a student distilled on it may collapse: use calibration=temperature"
            )
        )
    gap = teacher.scores.val - student.scores.val
    if gap > COLLAPSE_GAP:
        found.append(
            f"collapsed student: {100 * student.scores.val:.1f}% validation accuracy,"
            f" {100 * gap:.1f} points below its teacher"
        )
    return found


def summarize(
    results: Sequence[SeedResult], stage: Callable[[SeedResult], StageResult], part: str
) -> Summary | None:
    """Mean and population deviation of one accuracy; ``None`` where the setting has none."""
    values = [getattr(stage(result).scores, part) for result in results]
    return None if None in values else Summary(float(np.mean(values)), float(np.std(values)))


def table(results: Sequence[SeedResult]) -> dict[str, Any]:
    """All summaries as plain data: stage, part, mean and std."""
    return {
        name: {
            part: asdict(summary) if (summary := summarize(results, stage, part)) else None
            for part in PARTS
        }
        for name, stage in STAGES.items()
    }


STAGES: dict[str, Callable[[SeedResult], StageResult]] = {
    "teacher": lambda result: result.teacher,
    "student": lambda result: result.student,
}
