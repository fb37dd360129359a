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

PARTS = ("test_observed", "test_hidden", "test", "val")
"""The sets of nodes that an accuracy may be over, in the order in which they are shown."""


@dataclass(frozen=True)
class Scores:
    """Accuracies in [0, 1] of the restored best state.

    ``test_observed`` is over the observed test nodes, ``test_hidden`` over the hidden ones and
    ``test`` over both. An accuracy over no nodes is ``None``.
    """

    val: float
    test_observed: float | None
    test_hidden: float | None
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

    A precomputed teacher has 0 epochs, and ``None`` seconds.
    """

    scores: Scores
    best_epoch: int
    epochs: int
    seconds: float | None


@dataclass(frozen=True)
class SeedResult:
    """One replica's teacher and student; ``split`` is the number of its split.

    ``teacher_confidence`` is the mean top probability of the teacher before calibration. A flat
    teacher has almost uniform soft labels for its accuracy; a collapsed student has far less
    validation accuracy than its teacher (``gkd_runner.results.scoring`` has both thresholds). One
    that ``training.max_epochs`` ended while it still gained accuracy is unfinished instead.

    ``test_nodes`` counts the nodes behind ``Scores.test``, ``hidden_nodes`` those of them behind
    ``Scores.test_hidden``. The answer times are median seconds of one request for a single node on
    the CPU; ``None`` where they were not measured.
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

    ``seeds`` has an entry per replica. ``seconds`` is wall time per stage of what was trained now,
    or of all where nothing was; ``hint`` has labelled commands to look at the job with; ``reused``
    counts the replicas that an earlier run had finished.
    """

    config: Config
    paths: tuple[Path, ...]
    seeds: tuple[SeedResult, ...]
    seconds: Mapping[str, float]
    hint: tuple[tuple[str, str], ...] = ()
    reused: int = 0

    @property
    def path(self) -> Path:
        """The newest run's folder."""
        return self.paths[-1]

    @property
    def val_accuracy(self) -> float:
        """Mean validation accuracy of the students: what a search may maximise."""
        return float(np.mean([seed.student.scores.val for seed in self.seeds]))


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
