"""A method with variants trains a student of each, and keeps the best on validation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import (
    CPU,
    SIZES,
    called,
    config,
    no_answer,
    silent,
    small_graph,
    small_run,
    small_tasks,
    teachers,
)

from gkd_runner.cli.train import main
from gkd_runner.common.errors import ConfigError
from gkd_runner.config.build import compose
from gkd_runner.data.task import Split, Task
from gkd_runner.exporting import from_run
from gkd_runner.exporting.from_run import ensemble_of_run, student_of_run
from gkd_runner.methods import build_method
from gkd_runner.methods.base import Classroom
from gkd_runner.runs.reload import ReloadedStudent, reload_run, reload_student
from gkd_runner.training.fit import Epoch
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from gkd_runner.training.student import train_students
from gkd_runner.training.variants import best_variant, replay, standard_error

SEEDS = (0, 1)
TASK = Task(
    0,
    replace(small_graph(), labels=small_graph().labels % 2),
    Split(np.arange(10), np.arange(100, 200), np.arange(200, 300)),
    np.arange(300),
    np.empty(0, dtype=np.int64),
)
ALONE = (
    "method=adaprop",
    "method.further_hops=[]",
    "method.further_lams=[]",
    "student.input_dropout=0",
    "method.tau=1",
)
OWN = (
    "student.num_layers=2",
    "student.dropout=0.5",
    "student.learning_rate=0.01",
    "student.sampled_nodes=1000",
)
"""Defaults of AdaProp's student that others may be given."""


def student(
    name: str, right: Sequence[bool], val_loss: float = 1.0, score: float | None = None
) -> Trained:
    """A student that answers these validation nodes of ``TASK`` rightly at its second epoch."""
    wrong = 1 - TASK.training_graph.labels[TASK.seen.val]
    classes = np.where(right, TASK.training_graph.labels[TASK.seen.val], wrong)
    logits = np.zeros((len(TASK.observed), 2), dtype=np.float32)
    logits[TASK.seen.val, classes] = 1.0
    epochs = [0.1, float(np.mean(right)), 0.2]
    logged = (("val_macro_f1", score),) if score is not None else ()
    history = [Epoch(n, 1.0, val_loss, value, logged) for n, value in enumerate(epochs, 1)]
    return Trained(0, {}, logits, logits[:0], 2, history, 2.0, {"name": name})


def kept(*students: Trained, fallbacks: Sequence[int] = ()) -> Trained:
    return best_variant(TASK, students, fallbacks=fallbacks)


def trained(*options: str) -> list[Trained]:
    settings = config(*options, "training.max_epochs=15")
    tasks = small_tasks(settings, SEEDS, small_graph())
    taught = teachers(settings, tasks)
    labels = [SoftLabels(teacher, "", cached=False, temperature=1.0) for teacher in taught]
    return train_students(tasks, labels, settings, CPU, silent)


def right(count: int) -> list[bool]:
    return [number < count for number in range(100)]


def test_a_fallback_is_kept_only_if_it_is_better_by_more_than_one_standard_error() -> None:
    # 80 right against 81: one node apart, standard error sqrt(0.01 * 0.99 / 100) = 0.995 points
    ours, better = student("a", right(80)), student("b", right(81))
    assert kept(ours, better, fallbacks=[1]).facts["name"] == "b"
    assert kept(better, ours, fallbacks=[1]).facts["name"] == "b"
    # 70 right against 72 others of 100: 58 nodes apart, standard error 7.6 points
    ours, mirrored = student("a", right(70)), student("b", right(72)[::-1])
    assert kept(ours, mirrored, fallbacks=[1]).facts["name"] == "a"
    assert kept(ours, mirrored).facts["name"] == "b"


def test_a_fallback_must_be_clearly_better_than_the_best_of_the_others() -> None:
    students = [student("a", right(40)), student("b", right(70)), student("c", right(69)[::-1])]
    assert kept(*students, fallbacks=[2]).facts["name"] == "b"
    assert kept(*students, student("d", right(90)), fallbacks=[2, 3]).facts["name"] == "d"


@pytest.mark.parametrize("select_by", ["accuracy", "macro_f1", "roc_auc"])
def test_the_standard_error_is_that_of_paired_differences(select_by: str) -> None:
    ours, theirs = student("a", right(80)), student("b", right(72)[::-1])
    error = standard_error(TASK, ours, theirs, select_by)
    apart = np.array(right(80)) - np.array(right(72)[::-1]).astype(float)
    if select_by == "accuracy":
        assert error == pytest.approx(apart.std() / 10, rel=0.15)
    assert 0.02 < error < 0.15
    assert standard_error(TASK, ours, ours, select_by) == 0


def test_another_metric_may_keep_another_student() -> None:
    labels = TASK.training_graph.labels[TASK.seen.val]
    all_zero = student("a", list(labels == 0), score=0.3)
    fair = student("b", right(60), score=0.6)
    assert best_variant(TASK, [all_zero, fair], "macro_f1").facts["name"] == "b"


def test_the_best_of_several_is_kept() -> None:
    best = kept(student("a", right(40)), student("b", right(70)), student("c", right(80)))
    assert best.facts["name"] == "c"
    assert [one["val_accuracy"] for one in best.facts["variants"]] == [0.4, 0.7, 0.8]
    assert best.seconds == 6.0


def test_the_validation_loss_decides_between_equal_accuracies() -> None:
    equals = student("b", right(80), val_loss=0.9), student("c", right(80), val_loss=0.7)
    assert kept(student("a", right(40)), *equals).facts["name"] == "c"


def test_only_the_epochs_of_the_kept_students_are_told() -> None:
    told = []
    histories = [student("a", right(80)).history[:2], student("b", right(60)).history[:1]]
    replay(SEEDS, histories, lambda seeds, epoch, records: told.append((epoch, list(records))))
    assert told == [(1, [histories[0][0], histories[1][0]]), (2, [histories[0][1], None])]


@pytest.mark.parametrize(
    ("options", "same"),
    [
        (("method.propagation_hops=0", "method.lam=0"), ("method=glnn", "method.lam=0")),
        (("method.propagation_hops=0", "method.lam=0.2"), ("method=glnn", "method.lam=0.2")),
    ],
)
def test_without_propagation_adaprop_is_glnn(
    options: tuple[str, ...], same: tuple[str, ...]
) -> None:
    for ours, theirs in zip(trained(*ALONE, *options), trained(*OWN, *same), strict=True):
        for name, weights in ours.state.items():
            torch.testing.assert_close(weights, theirs.state[name], atol=1e-4, rtol=0)
        assert ours.best_epoch == theirs.best_epoch


def test_without_a_teacher_and_propagation_a_student_is_the_mlp() -> None:
    kept = trained(*ALONE, "method.propagation_hops=0", "method.further_lams=[1.0]")
    plain = trained("method=mlp", *OWN)
    for ours, theirs in zip(kept, plain, strict=True):
        alone = next(one for one in ours.facts["variants"] if one["lam"] == 1)
        chosen = theirs.history[theirs.best_epoch - 1]
        assert alone["val_accuracy"] == chosen.val_accuracy
        assert alone["val_loss"] == chosen.val_loss


def test_each_seed_keeps_the_student_that_the_variant_alone_would_have() -> None:
    options = (*ALONE, "method.further_hops=[0]", "method.further_lams=[1.0]")
    for index, kept in enumerate(trained(*options)):
        facts = kept.facts
        assert len(facts["variants"]) == 4
        usual = max(
            one["val_accuracy"]
            for one in facts["variants"]
            if one["propagation_hops"] and one["lam"] < 1
        )
        assert kept.history[kept.best_epoch - 1].val_accuracy >= usual
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


def test_a_run_tells_what_its_seeds_have_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("method=adaprop", "method.further_hops=[]", "seeds=[3,4]")
    size = ("dataset=synthetic", "dataset.nodes=300", "dataset.features=64", *SIZES)
    for _ in range(2):  # the second reads what the first has finished
        done = called(monkeypatch, main, "gkd-train", *size, *options, f"output_dir={tmp_path}")
        assert done.returncode == 0, done.stderr
        kept = [line for line in done.stdout.splitlines() if line.startswith("kept")]
        assert len(kept) == 1
        assert "propagation_hops=4, lam=" in kept[0]
        assert "of 2 replicas" in kept[0]
        for variant in kept[0].split("; "):
            assert ("lam=1" in variant) is ("labels alone" in variant)


def test_an_exported_student_names_the_variant_that_it_is(tmp_path: Path) -> None:
    path = small_run(tmp_path, "method=adaprop", "method.further_hops=[]")
    facts = json.loads((path / "result.json").read_text())["method_facts"][0]
    told = student_of_run(path, 3).facts.raw["training"]["method_options"]
    assert told["lam"] == facts["lam"]
    assert told["propagation_hops"] == facts["propagation_hops"]


def test_a_teacher_may_come_second_but_not_never() -> None:
    assert compose(["method=adaprop", "method.lam=1", "method.further_lams=[0.1]"])
    with pytest.raises(ConfigError, match="leaves the teacher out"):
        compose(["method=adaprop", "method.lam=1", "method.further_lams=[1]"])


def test_the_baseline_reads_raw_features() -> None:
    with pytest.raises(ConfigError, match="the baseline, which reads raw features"):
        compose(["method=mlp", "method.propagation_hops=2"])


@pytest.mark.parametrize("preset", ["paper", "common", "none"])
@pytest.mark.parametrize("option", OWN)
def test_adaprop_brings_defaults_of_its_student(preset: str, option: str) -> None:
    def chosen(*more: str) -> Any:
        name = option.partition("=")[0].partition(".")[2]
        return getattr(compose(["teacher.num_layers=3", f"preset={preset}", *more]).student, name)

    own = chosen(option)
    assert chosen("method=adaprop") == own
    changed = option.rpartition("=")[0] + "=1" if isinstance(own, int) else f"{option}1"
    assert chosen("method=adaprop", changed) == chosen("method=glnn", changed) != own
    assert chosen("method=glnn", "student.dropout=0.1", "student.learning_rate=0.1") != own


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


def test_a_fallback_has_no_dropout_on_its_features() -> None:
    variants = build_method(config("method=adaprop").method).variants
    given = config("method=adaprop", "student.input_dropout=0.3").student
    dropped = {
        (variant.config.propagation_hops, variant.config.lam): variant.student(given).input_dropout
        for variant in variants
    }
    assert dropped == {
        (4, 0.1): 0.3, (8, 0.1): 0.3, (0, 0.1): 0.0, (4, 1.0): 0.0, (8, 1.0): 0.0, (0, 1.0): 0.0,
    }  # fmt: skip
    one, other = (
        trained("method=adaprop", "method.further_hops=[]", "method.propagation_hops=0",
                "method.further_lams=[]", f"student.input_dropout={value}")
        for value in (0, 0.5)
    )  # fmt: skip
    for ours, theirs in zip(one, other, strict=True):
        losses = [[epoch.loss for epoch in student.history] for student in (ours, theirs)]
        np.testing.assert_allclose(*losses, rtol=1e-4)
