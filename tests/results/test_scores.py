"""Warnings that matter are raised when they must and only then; the table tells the truth."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gkd_runner.common.errors import explain
from gkd_runner.data.graph import FloatArray
from gkd_runner.results.scores import STAGES, RunResult, SeedResult, summarize
from gkd_runner.results.scoring import scores, seed_result
from gkd_runner.results.warnings import warnings_of
from gkd_runner.runs.display import report
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from tests.support import config, small_tasks


def logits_that_hit(share: float, scale: float) -> FloatArray:
    """Logits on the small graph that are right on the first ``share`` of each split part."""
    (task,) = small_tasks(config(), [0])
    labels, n = task.graph.labels, task.graph.num_nodes
    predicted = labels.copy()
    for part in (task.split.train, task.split.val, task.split.test):
        wrong = part[round(share * len(part)) :]
        predicted[wrong] = (labels[wrong] + 1) % 4
    return (np.eye(4, dtype=np.float32)[predicted] * scale).reshape(n, 4)


def trained(logits: FloatArray) -> Trained:
    return Trained(0, {}, logits, logits[:0], 3, [], 1.0)


def result_for(
    teacher: FloatArray, student: FloatArray, *, temperature: float = 1.0, distils: bool = True
) -> SeedResult:
    (task,) = small_tasks(config(), [0])
    labels = SoftLabels(trained(teacher), "key", False, temperature)
    return seed_result(task, labels, trained(student), distils=distils)


def test_scores_count_each_part_of_the_split() -> None:
    (task,) = small_tasks(config("setting=inductive"), [0])
    right = np.eye(4, dtype=np.float32)[task.graph.labels]

    perfect = scores(task, right[task.observed], right[task.hidden])
    blind = scores(task, right[task.observed], np.roll(right[task.hidden], 1, axis=1))

    assert (perfect.val, perfect.test_observed, perfect.test_hidden, perfect.test) == (1, 1, 1, 1)
    assert (blind.test_observed, blind.test_hidden, blind.test) == (1, 0, 0.8)


def told(result: SeedResult) -> list[str]:
    return list(warnings_of(result))


def test_a_confident_teacher_and_a_good_student_raise_no_warning() -> None:
    assert told(result_for(logits_that_hit(0.8, 6), logits_that_hit(0.8, 6))) == []


def test_a_flat_teacher_is_reported_with_its_confidence() -> None:
    flat = logits_that_hit(0.8, 0.3)
    (warning,) = told(result_for(flat, logits_that_hit(0.8, 6)))

    assert warning.startswith("flat teacher: mean top probability 0.31 at 80.0%")
    assert "use calibration=temperature" in warning


def test_a_flat_teacher_that_was_calibrated_says_so() -> None:
    (warning,) = told(
        result_for(logits_that_hit(0.8, 0.3), logits_that_hit(0.8, 6), temperature=0.2)
    )

    assert "calibrated with temperature 0.20" in warning


def test_a_collapsed_student_is_reported() -> None:
    (warning,) = told(result_for(logits_that_hit(0.8, 6), logits_that_hit(0.4, 6)))

    assert warning == (
        "collapsed student: 40.0% validation accuracy, 40.0 points below its teacher"
    )


def test_a_baseline_without_a_teacher_cannot_collapse() -> None:
    weak = result_for(logits_that_hit(0.8, 6), logits_that_hit(0.4, 6), distils=False)
    assert told(weak) == []


@pytest.mark.parametrize(
    ("failure", "explained"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("shapes do not fit the memory layout"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_only_failed_allocations_are_explained_as_such(failure: Exception, explained: bool) -> None:
    text = explain(failure)

    assert (text is not None and "use replicas=1" in text) == explained
    assert (text is None) != explained


def test_the_report_shows_means_population_deviations_and_the_difference() -> None:
    good = result_for(logits_that_hit(0.8, 6), logits_that_hit(0.9, 6))
    better = replace(
        good, student=replace(good.student, scores=replace(good.student.scores, test=1.0))
    )
    hint = (("look", "wandb leet there/wandb"), ("upload", "wandb sync there/wandb/offline-run-*"))
    seconds = {"teacher": 1.0, "student": 2.0}
    result = RunResult(config(), (Path("there"),), (good, better), seconds, hint)
    text = io.StringIO()
    Console(file=text, width=100).print(report(result))

    summary = summarize(result.seeds, STAGES["student"], "test")
    assert summary is not None
    assert (summary.mean, summary.std) == (pytest.approx(0.95), pytest.approx(0.05))
    assert "95.00±5.00" in text.getvalue()
    assert "+15.00" in text.getvalue()
    assert [line.rstrip() for line in text.getvalue().splitlines()[-3:]] == [
        "run      there",
        "look     wandb leet there/wandb",
        "upload   wandb sync there/wandb/offline-run-*",
    ]
