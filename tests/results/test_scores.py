"""Warnings that matter are raised when they must and only then; the table tells the truth."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gkd_runner.common.errors import explain
from gkd_runner.data.graph import FloatArray
from gkd_runner.data.task import Task
from gkd_runner.results.scores import (
    STAGES,
    PartScores,
    RunResult,
    Scores,
    SeedResult,
    Summary,
    summarize,
)
from gkd_runner.results.scoring import scores, seed_result
from gkd_runner.results.warnings import warnings_of
from gkd_runner.runs.display import report
from gkd_runner.training.fit import Epoch
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from tests.support import config, small_tasks

SECONDS = {"teacher": 1.0, "student": 2.0}


def logits_that_hit(share: float, scale: float) -> FloatArray:
    """Logits on the small graph that are right on the first ``share`` of each split part."""
    (task,) = small_tasks(config(), [0])
    labels, n = task.graph.labels, task.graph.num_nodes
    predicted = labels.copy()
    for part in (task.split.train, task.split.val, task.split.test):
        wrong = part[round(share * len(part)) :]
        predicted[wrong] = (labels[wrong] + 1) % 4
    return (np.eye(4, dtype=np.float32)[predicted] * scale).reshape(n, 4)


def trained(logits: FloatArray, accuracies: Sequence[float] = (0.1, 0.2, 0.3)) -> Trained:
    history = [Epoch(epoch, 1.0, 1.0, value) for epoch, value in enumerate(accuracies, 1)]
    return Trained(0, {}, logits, logits[:0], len(history), history, 1.0)


def result_for(
    teacher: FloatArray,
    student: FloatArray,
    *,
    temperature: float = 1.0,
    distils: bool = True,
    epochs: Sequence[float] = (0.1, 0.2, 0.3),
) -> SeedResult:
    """A result of stages that both had the validation accuracies ``epochs``."""
    (task,) = small_tasks(config(), [0])
    labels = SoftLabels(trained(teacher, epochs), "key", False, temperature)
    settings = config("method=glnn" if distils else "method=mlp")
    return seed_result(task, labels, trained(student, epochs), settings)


def test_scores_count_each_part_of_the_split() -> None:
    (task,) = small_tasks(config("setting=inductive"), [0])
    right = np.eye(4, dtype=np.float32)[task.graph.labels]

    perfect = scores(task, right[task.observed], right[task.hidden])
    blind = scores(task, right[task.observed], np.roll(right[task.hidden], 1, axis=1))

    assert (perfect.val, perfect.test_observed, perfect.test_hidden, perfect.test) == (1, 1, 1, 1)
    assert (blind.test_observed, blind.test_hidden, blind.test) == (1, 0, 0.8)


def two_classes() -> tuple[Task, SeedResult]:
    """A task whose hidden nodes are all of class 0, and results of logits that say so of all."""
    (task,) = small_tasks(config("setting=inductive"), [0])
    labels = (np.arange(task.graph.num_nodes) % 2).astype(np.int64)
    labels[task.hidden] = 0
    task = replace(task, graph=replace(task.graph, labels=labels))
    sure = np.tile(np.float32([1, 0]), (task.graph.num_nodes, 1))
    both = replace(trained(sure[task.observed]), hidden_logits=sure[task.hidden])
    return task, seed_result(task, SoftLabels(both, "key", False, 1.0), both, config())


def test_each_part_has_every_metric_that_is_defined_there() -> None:
    task, result = two_classes()
    student, ones = result.student, int(task.graph.labels[task.split.test].sum())

    assert student.roc_auc == PartScores(val=0.5, test_observed=0.5, test_hidden=None, test=0.5)
    assert student.macro_f1 is not None
    assert student.macro_f1.test_hidden == 1.0
    assert student.macro_f1.test == pytest.approx((100 - ones) / (200 - ones))  # F1 of 1 is 0
    assert student.confusion == [[100 - ones, 0], [ones, 0]]


def test_a_transductive_result_has_no_scores_of_hidden_nodes_and_four_classes_no_roc_auc() -> None:
    student = result_for(logits_that_hit(0.8, 6), logits_that_hit(0.8, 6)).student

    assert student.macro_f1 is not None
    assert student.macro_f1.test_hidden is None
    assert student.roc_auc is None


def test_the_mean_of_a_metric_that_a_seed_lacks_is_none() -> None:
    _, result = two_classes()

    assert summarize([result], STAGES["student"], "test_hidden", "roc_auc") is None
    assert summarize([result], STAGES["student"], "test", "roc_auc") == Summary(0.5, 0.0)


def test_the_closing_table_of_an_inductive_run_of_two_classes_fits_100_columns() -> None:
    _, result = two_classes()
    spread = replace(result, teacher=replace(result.teacher, scores=Scores(1.0, 0.1, 0.1, 0.1)))
    text = io.StringIO()
    job = RunResult(config("setting=inductive"), (Path("there"),), (result, spread), SECONDS)
    Console(file=text, width=100).print(report(job))

    lines = text.getvalue().splitlines()
    table = {line[:18].strip(): line.split()[-4:] for line in lines if line[18:].strip()}
    assert "…" not in text.getvalue()
    assert table["student, ROC AUC"] == ["50.00±0.00", "—", "50.00±0.00", "50.00±0.00"]
    assert table["teacher, macro F1"][1] == "100.00±0.00"


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


RISING = [0.4 + 0.01 * epoch for epoch in range(25)]
"""A gain in each of the 25 epochs that the small configurations have, with a patience of 5."""


def test_what_max_epochs_cut_short_has_neither_collapsed_nor_is_it_flat() -> None:
    flat, weak = logits_that_hit(0.8, 0.3), logits_that_hit(0.4, 6)

    teacher, student = told(result_for(flat, weak, epochs=RISING))

    ended = "training.max_epochs ended it while it still gained (best epoch 25);"
    assert teacher.startswith("unfinished teacher: mean top probability 0.31 at 80.0%")
    assert student.startswith("unfinished student: 40.0% validation accuracy, 40.0 points below")
    assert ended in teacher
    assert ended in student


@pytest.mark.parametrize(
    ("epochs", "cut_short"),
    [
        (RISING, True),
        ([*RISING[:21], *[0.1] * 4], True),
        ([*RISING[:20], *[0.1] * 5], False),  # patience ended it in the last epoch
        (RISING[:24], False),  # as one that patience ended
        ([0.4] * 25, False),  # equals its best in every epoch, as one that predicts one class
    ],
)
def test_a_student_was_cut_short_if_it_gained_within_the_patience_of_max_epochs(
    epochs: list[float], cut_short: bool
) -> None:
    result = result_for(logits_that_hit(0.8, 6), logits_that_hit(0.4, 6), epochs=epochs)
    assert (result.unfinished_student, result.collapsed_student) == (cut_short, not cut_short)


def test_a_result_counts_the_nodes_behind_its_accuracies() -> None:
    (task,) = small_tasks(config("setting=inductive"), [0])
    right = np.eye(4, dtype=np.float32)[task.graph.labels]
    both = replace(trained(right[task.observed]), hidden_logits=right[task.hidden])
    result = seed_result(task, SoftLabels(both, "key", False, 1.0), both, config())

    assert (result.test_nodes, result.hidden_nodes) == (100, 20)
    assert result.teacher_answer_seconds is None


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
    result = RunResult(config(), (Path("there"),), (good, better), SECONDS, hint)
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
