"""The results of a job: per seed and over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gkd_runner.data.task import Replica
from gkd_runner.options.schema import Config
from gkd_runner.results.diagnostics import Diagnostics
from gkd_runner.training.failures import SeedFailure

PARTS = ("test_observed", "test_hidden", "test", "val")
"""The sets of nodes that a score may be over, in the order in which they are shown."""


@dataclass(frozen=True)
class PartScores:
    """A metric in [0, 1] of the restored best state, over each part of the nodes.

    ``test_observed`` is over the observed test nodes, ``test_hidden`` over the hidden ones and
    ``test`` over both. It is ``None`` over no nodes; ROC AUC also where one class has no nodes.
    """

    val: float | None
    test_observed: float | None
    test_hidden: float | None
    test: float | None


@dataclass(frozen=True)
class Scores(PartScores):
    """Accuracies; validation and test always have nodes."""

    val: float
    test: float

    @property
    def parts(self) -> tuple[str, ...]:
        """The accuracies that are worth showing; in a transductive run all test nodes are seen."""
        if self.test_hidden is None:
            return ("test", "val")
        return tuple(part for part in PARTS if getattr(self, part) is not None)


@dataclass(frozen=True)
class StageResult:
    """One seed's results of teacher or student: epochs from 1, ``seconds`` of training.

    A precomputed teacher has 0 epochs, and ``None`` seconds. ``scores`` are accuracies.
    ``roc_auc`` is ``None`` unless there are two classes. ``confusion`` counts the test nodes, in a
    row per true class and a column per predicted one. Runs of format 4 have none of the metrics
    beside accuracy.
    """

    scores: Scores
    best_epoch: int
    epochs: int
    seconds: float | None
    macro_f1: PartScores | None = None
    roc_auc: PartScores | None = None
    confusion: list[list[int]] | None = None

    def of(self, metric: str) -> PartScores | None:
        """The scores by ``metric``; ``None`` where it is not defined or was not recorded."""
        found: PartScores | None = getattr(self, "scores" if metric == "accuracy" else metric)
        return found


@dataclass(frozen=True)
class SeedResult:
    """One replica's teacher and student; ``split`` is the number of its split.

    ``teacher_confidence`` is the mean top probability of the teacher before calibration. A flat
    teacher has almost uniform soft labels for its accuracy; a collapsed student has far less
    validation accuracy than its teacher (``gkd_runner.results.scoring`` has both thresholds). One
    that ``training.max_epochs`` ended while it still gained accuracy is unfinished instead.

    ``test_nodes`` counts the nodes behind ``Scores.test``, ``hidden_nodes`` those of them behind
    ``Scores.test_hidden``. The answer times are median seconds of one request for a single node on
    the CPU; ``None`` where they were not measured. A run times one teacher for all seeds, and one
    student for all that have kept the same variant. ``student_parameters`` counts the trained
    numbers of the student; runs of earlier versions did not record it.
    """

    seed: int
    split: int
    split_hash: str
    teacher: StageResult
    student: StageResult
    teacher_cached: bool
    teacher_confidence: float
    temperature: float
    diagnostics: Diagnostics
    flat_teacher: bool
    unfinished_teacher: bool
    collapsed_student: bool
    unfinished_student: bool
    test_nodes: int
    hidden_nodes: int
    teacher_answer_seconds: float | None = None
    student_answer_seconds: float | None = None
    student_parameters: int | None = None

    @property
    def replica(self) -> Replica:
        """The seed and the number of the split."""
        return Replica(self.seed, self.split)


@dataclass(frozen=True)
class Summary:
    """Mean and population standard deviation over replicas, in [0, 1]."""

    mean: float
    std: float


@dataclass(frozen=True)
class RunResult:
    """One job's results, from as many runs as its replicas were trained in.

    ``seeds`` has an entry per replica that has a result, ``failures`` one per replica that failed
    now. ``seconds`` is wall time per stage of what was trained now, or of all where nothing was;
    ``hint`` has labelled commands to look at the job with; ``reused`` counts the replicas that an
    earlier run had finished.
    """

    config: Config
    paths: tuple[Path, ...]
    seeds: tuple[SeedResult, ...]
    seconds: Mapping[str, float]
    hint: tuple[tuple[str, str], ...] = ()
    reused: int = 0
    failures: tuple[SeedFailure, ...] = ()

    @property
    def path(self) -> Path:
        """The newest run's folder."""
        return self.paths[-1]

    @property
    def val_score(self) -> float:
        """Mean validation score of the students, by the metric that selects.

        It is what a search may maximise.
        """
        return val_score(self.seeds, self.config.training.select_by)


def summarize(
    results: Sequence[SeedResult],
    stage: Callable[[SeedResult], StageResult],
    part: str,
    metric: str = "accuracy",
) -> Summary | None:
    """Mean and population deviation of one score; ``None`` where a replica has none."""
    found = [getattr(stage(result).of(metric), part, None) for result in results]
    values = [value for value in found if value is not None]
    whole = len(values) == len(found)
    return Summary(float(np.mean(values)), float(np.std(values))) if whole else None


def val_score(results: Sequence[SeedResult], metric: str) -> float:
    """Mean validation score of the students, by the metric that has selected their epochs."""
    summary = summarize(results, STAGES["student"], "val", metric)
    assert summary is not None, "the metric has selected each student's epoch"
    return summary.mean


def column(stage: str, part: str, metric: str = "accuracy") -> str:
    """The column of a score in the table of runs: ``student_test``, ``student_test_macro_f1``."""
    return f"{stage}_{part}" if metric == "accuracy" else f"{stage}_{part}_{metric}"


def table(results: Sequence[SeedResult], metric: str = "accuracy") -> dict[str, Any]:
    """All summaries of a metric as plain data: stage, part, mean and std."""
    return {
        name: {
            part: asdict(summary) if (summary := summarize(results, stage, part, metric)) else None
            for part in PARTS
        }
        for name, stage in STAGES.items()
    }


STAGES: dict[str, Callable[[SeedResult], StageResult]] = {
    "teacher": lambda result: result.teacher,
    "student": lambda result: result.student,
}
