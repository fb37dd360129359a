"""A method with variants trains a student of each, and keeps the best on validation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import (
    CPU,
    config,
    no_answer,
    silent,
    small_graph,
    small_run,
    small_tasks,
    teachers,
)

from gkd_runner.common.errors import ConfigError
from gkd_runner.exporting import from_run
from gkd_runner.exporting.from_run import ensemble_of_run, student_of_run
from gkd_runner.methods import build_method
from gkd_runner.methods.base import Classroom
from gkd_runner.runs.reload import ReloadedStudent, reload_run, reload_student
from gkd_runner.training.fit import Epoch
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from gkd_runner.training.student import train_students
from gkd_runner.training.variants import best_variant, replay

SEEDS = (0, 1)
ALONE = ("method=adaprop", "method.further_hops=[]", "method.further_lams=[]")


def student(name: str, best_epoch: int, *accuracies: float, val_loss: float = 1.0) -> Trained:
    history = [Epoch(n, 1.0, val_loss, value) for n, value in enumerate(accuracies, 1)]
    nothing = np.empty((0, 2), dtype=np.float32)
    return Trained(0, {}, nothing, nothing, best_epoch, history, 2.0, {"name": name})


def trained(*options: str) -> list[Trained]:
    settings = config(*options, "training.max_epochs=15")
    tasks = small_tasks(settings, SEEDS, small_graph())
    taught = teachers(settings, tasks)
    labels = [SoftLabels(teacher, "", cached=False, temperature=1.0) for teacher in taught]
    return train_students(tasks, labels, settings, CPU, silent)


def test_the_best_epoch_on_validation_decides_and_not_the_last() -> None:
    best = best_variant([student("a", 1, 0.8, 0.5), student("b", 2, 0.6, 0.7)])
    assert best.facts["name"] == "a"
    assert [one["val_accuracy"] for one in best.facts["variants"]] == [0.8, 0.7]
    assert best.seconds == 4.0


def test_the_validation_loss_decides_between_equal_accuracies() -> None:
    equals = [student("a", 1, 0.8, val_loss=0.9), student("b", 1, 0.8, val_loss=0.7)]
    assert best_variant(equals).facts["name"] == "b"


def test_only_the_epochs_of_the_kept_students_are_told() -> None:
    told = []
    histories = [student("a", 1, 0.8, 0.5).history, student("b", 1, 0.6).history]
    replay(SEEDS, histories, lambda seeds, epoch, records: told.append((epoch, list(records))))
    assert told == [(1, [histories[0][0], histories[1][0]]), (2, [histories[0][1], None])]


@pytest.mark.parametrize(
    ("options", "same"),
    [
        (("method.propagation_hops=0", "method.lam=0"), ("method=glnn", "method.lam=0")),
        (("method.propagation_hops=0", "method.tau=2"), ("method=glnn", "method.tau=2")),
    ],
)
def test_without_propagation_adaprop_is_glnn(
    options: tuple[str, ...], same: tuple[str, ...]
) -> None:
    for ours, theirs in zip(trained(*ALONE, *options), trained(*same), strict=True):
        for name, weights in ours.state.items():
            torch.testing.assert_close(weights, theirs.state[name], atol=1e-4, rtol=0)
        assert ours.best_epoch == theirs.best_epoch


def test_without_a_teacher_and_propagation_a_student_is_the_mlp() -> None:
    kept = trained(*ALONE, "method.propagation_hops=0", "method.further_lams=[1.0]")
    plain = trained("method=mlp")
    for ours, theirs in zip(kept, plain, strict=True):
        alone = next(one for one in ours.facts["variants"] if one["lam"] == 1)
        chosen = theirs.history[theirs.best_epoch - 1]
        assert alone["val_accuracy"] == chosen.val_accuracy
        assert alone["val_loss"] == chosen.val_loss
        assert ours.history[ours.best_epoch - 1].val_accuracy >= chosen.val_accuracy


def test_each_seed_keeps_the_student_that_the_variant_alone_would_have() -> None:
    options = ("method=adaprop", "method.further_hops=[0]", "method.further_lams=[1.0]")
    for index, kept in enumerate(trained(*options)):
        facts = kept.facts
        assert len(facts["variants"]) == 4
        best = max(one["val_accuracy"] for one in facts["variants"])
        assert kept.history[kept.best_epoch - 1].val_accuracy == best
        if facts["lam"] == 1:  # refused alone, as it has no teacher
            continue
        hops, lam = facts["propagation_hops"], facts["lam"]
        chosen = (f"method.propagation_hops={hops}", f"method.lam={lam}")
        again = trained(*ALONE, *chosen)[index]
        for name, weights in kept.state.items():
            assert torch.equal(weights, again.state[name])


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
def test_hidden_nodes_are_judged_by_validation_nodes_without_soft_labels(setting: str) -> None:
    settings = config(*ALONE, f"setting={setting}")
    tasks = small_tasks(settings, SEEDS, small_graph())
    logits = torch.randn(2, len(tasks[0].observed), 3)
    method = build_method(settings.method)
    method.prepare(Classroom(tasks, logits, 10, no_answer))
    target = method.soft_target(1, None)
    assert target is not None
    mass = target.mass.sum(2)
    torch.testing.assert_close(mass.sum(1), torch.ones(2))
    for replica, task in enumerate(tasks):
        of_validation = mass[replica, torch.from_numpy(task.seen.val)]
        assert bool((of_validation == 0).all()) is (setting == "inductive")


def test_a_run_reads_the_features_that_each_seed_has_kept(tmp_path: Path) -> None:
    path = small_run(tmp_path, "method=adaprop", "method.further_hops=[0,3]", "setting=inductive")
    facts = json.loads((path / "result.json").read_text())["method_facts"]
    for seed, own in zip((3, 4), facts, strict=True):
        again = reload_run(path, seed)
        assert again.method.config.propagation_hops == own["propagation_hops"]
        hidden, labels = again.task.hidden, again.task.graph.labels
        hits = student_of_run(path, seed).predict_all().predicted[hidden] == labels[hidden]
        assert hits.mean() == pytest.approx(again.result.student.scores.test_hidden)


def test_an_ensemble_needs_seeds_that_read_the_same_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_run(tmp_path, *ALONE)
    assert len(ensemble_of_run(path).seeds) == 2
    hops = iter((0, 3))

    def reloaded(*arguments: Any) -> ReloadedStudent:
        student = reload_student(*arguments)
        facts = {"propagation_hops": next(hops), "lam": 0.0}
        return replace(student, method=student.method.chosen(facts))

    monkeypatch.setattr(from_run, "reload_student", reloaded)
    with pytest.raises(ConfigError, match="read features of different propagation"):
        ensemble_of_run(path)
