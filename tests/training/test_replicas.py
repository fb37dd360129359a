from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch
from support import LIVELY, config, small_tasks, students, teachers

from gkd_runner.data.task import Task
from gkd_runner.methods import METHODS
from gkd_runner.models import inputs
from gkd_runner.options.schema import Config
from gkd_runner.training.stage import Trained

SEEDS = [0, 1, 2]
SETTINGS = ["transductive", "inductive"]
CASES = [
    *[(teacher, "infgrand") for teacher in ("gcn", "sage", "gat")],
    *[("gcn", method) for method in METHODS if method != "infgrand"],
]


@cache
def together(setting: str, teacher: str, method: str) -> list[Trained]:
    """The teachers and the students of all seeds, trained at once; shared, so never change it."""
    settings = settings_of(setting, teacher, method)
    return both_stages(settings, small_tasks(settings, SEEDS))


def settings_of(setting: str, teacher: str, method: str) -> Config:
    choices = (f"setting={setting}", f"teacher={teacher}", f"method={method}")
    return config(*choices, *LIVELY.get(method, ()))


def both_stages(settings: Config, tasks: Sequence[Task]) -> list[Trained]:
    taught = teachers(settings, tasks)
    return [*taught, *students(settings, tasks, taught)]


def history(trained: Trained) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rows = [(*epoch[:4], *(value for _, value in epoch.logged)) for epoch in trained.history]
    return np.array(rows)


def assert_same(found: Trained, expected: Trained) -> None:
    assert found.seed == expected.seed
    assert found.best_epoch == expected.best_epoch
    assert len(found.history) == len(expected.history)
    np.testing.assert_allclose(history(found), history(expected), atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(found.observed_logits, expected.observed_logits, atol=1e-5)
    np.testing.assert_allclose(found.hidden_logits, expected.hidden_logits, atol=1e-5)


def assert_identical(found: Trained, expected: Trained) -> None:
    assert found.history == expected.history
    assert found.best_epoch == expected.best_epoch
    assert found.state.keys() == expected.state.keys()
    assert all(torch.equal(value, expected.state[name]) for name, value in found.state.items())
    np.testing.assert_array_equal(found.observed_logits, expected.observed_logits)
    np.testing.assert_array_equal(found.hidden_logits, expected.hidden_logits)


@pytest.mark.parametrize(("teacher", "method"), CASES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_seed_gives_the_same_alone_as_with_others(
    setting: str, teacher: str, method: str
) -> None:
    settings = settings_of(setting, teacher, method)
    tasks, all_of = small_tasks(settings, SEEDS), together(setting, teacher, method)
    stages = all_of[: len(SEEDS)], all_of[len(SEEDS) :]
    for task, teacher_together, student_together in zip(tasks, *stages, strict=True):
        (teacher_alone,) = teachers(settings, [task])
        assert_same(teacher_together, teacher_alone)
        (student_alone,) = students(settings, [task], [teacher_alone])
        assert_same(student_together, student_alone)


@pytest.mark.parametrize(("teacher", "method"), CASES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_same_job_twice_gives_identical_numbers(
    setting: str, teacher: str, method: str
) -> None:
    settings = settings_of(setting, teacher, method)
    again = both_stages(settings, small_tasks(settings, SEEDS))
    for second, first in zip(again, together(setting, teacher, method), strict=True):
        assert_identical(second, first)


def test_seeds_differ_in_everything_that_is_drawn() -> None:
    settings = settings_of("inductive", "gcn", "glnn")
    tasks = small_tasks(settings, SEEDS)
    for stage in (taught := teachers(settings, tasks)), students(settings, tasks, taught):
        states = [trained.state["weights.0"] for trained in stage]
        assert not torch.allclose(states[0], states[1])
    assert tasks[0].split.fingerprint != tasks[1].split.fingerprint
    assert set(tasks[0].hidden) != set(tasks[1].hidden)


@pytest.mark.parametrize("teacher", ["gcn", "sage", "gat"])
def test_teachers_and_students_learn_on_the_made_up_graph(teacher: str) -> None:
    """So that the agreement above is not that of models that never move."""
    patient = ("training.patience=25", "teacher.dropout=0.2")
    settings = config(f"teacher={teacher}", "method=infgrand", *patient)
    tasks = small_tasks(settings, SEEDS)
    for trained in both_stages(settings, tasks):
        chance = 0.25
        assert max(epoch.val_accuracy for epoch in trained.history) > 2 * chance


def test_the_draws_of_dropout_do_not_depend_on_measured_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config("teacher=gat", "teacher.dropout=0.3", "training.max_epochs=3")
    tasks = small_tasks(settings, [0])
    monkeypatch.setitem(inputs.UNCERTAIN, "cpu", (3.0, math.inf))
    taught = []
    for seconds in (iter([1.0, 9.0]), iter([9.0, 1.0])):
        monkeypatch.setattr(inputs, "_SPARSE_IS_FASTER", {})
        monkeypatch.setattr(inputs, "_seconds", lambda *_, times=seconds: next(times))
        taught += teachers(settings, tasks)
    assert_same(*taught)
