"""A teacher is trained once, found again by everything that shaped it, and never half-read."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gkd_runner.config.build import compose
from gkd_runner.data.graph import Split
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task
from gkd_runner.options.schema import Config
from gkd_runner.training.cache import TeacherCache, teacher_key
from gkd_runner.training.fit import Epoch
from gkd_runner.training.stage import Trained
from tests.support import small_graph

CPU = torch.device("cpu")


def config_of(*overrides: str) -> Config:
    small = ["dataset=synthetic", "preset=none", "protocol.val_size=30", "protocol.test_size=60"]
    return compose([*small, "protocol.train_per_class=5", *overrides])


def key_of(*overrides: str, seed: int = 0, change: Callable[[Task], Task] = lambda t: t) -> str:
    config = config_of(*overrides)
    task = change(make_task(small_graph(), config, seed))
    return teacher_key(task, config.teacher, config.training, CPU)


SHAPING = [
    "teacher=sage",
    "teacher=gat",
    "teacher.num_layers=3",
    "teacher.hidden_dim=8",
    "teacher.dropout=0.1",
    "teacher.learning_rate=0.02",
    "teacher.weight_decay=0.1",
    "training.max_epochs=9",
    "training.patience=9",
    "setting=inductive",
    "protocol.train_per_class=6",
    "protocol.val_size=31",
]
NOT_SHAPING = ["method=glnn", "method=hgmd-mixup", "method.tau=7", "student.hidden_dim=9"]


@pytest.mark.parametrize("override", SHAPING)
def test_changing_what_shapes_the_teacher_changes_the_key(override: str) -> None:
    assert key_of(override) != key_of()


@pytest.mark.parametrize("override", NOT_SHAPING)
@pytest.mark.parametrize("preset", ["none", "common"])
def test_changing_method_or_student_does_not(override: str, preset: str) -> None:
    on_cora = ("dataset=cora", f"preset={preset}")  # where presets have rows
    assert key_of(*on_cora, override) == key_of(*on_cora)


@pytest.mark.parametrize("field", ["heads", "output_heads", "attention_dropout", "negative_slope"])
def test_every_option_of_gat_shapes_it(field: str) -> None:
    value = {"attention_dropout": 0.11, "negative_slope": 0.11}.get(field, 2)
    assert key_of("teacher=gat", f"teacher.{field}={value}") != key_of("teacher=gat")


def test_the_seed_shapes_the_teacher_even_on_one_split() -> None:
    def same_split(task: Task) -> Task:
        fixed = Split(*(np.arange(k, k + 20) for k in (0, 20, 40)))
        return dataclasses.replace(task, split=fixed)

    assert key_of(change=same_split, seed=0) != key_of(change=same_split, seed=1)


def test_one_changed_feature_changes_the_key() -> None:
    def touched(task: Task) -> Task:
        features = task.graph.features.copy()
        features.data[0] += 1
        return dataclasses.replace(task, graph=dataclasses.replace(task.graph, features=features))

    assert key_of(change=touched) != key_of()


def made_up(seed: int) -> Trained:
    rng = np.random.default_rng(seed)
    return Trained(
        seed=seed,
        state={"weights.0": torch.from_numpy(rng.normal(size=(3, 2)))},
        observed_logits=rng.normal(size=(5, 2)).astype(np.float32),
        hidden_logits=np.empty((0, 2), dtype=np.float32),
        best_epoch=1,
        history=[Epoch(1, 0.5, 0.25, 0.75, (("val_macro_f1", 0.5),))],
        seconds=1.5,
    )


def same(left: Trained, right: Trained) -> bool:
    return (
        all(torch.equal(left.state[k], right.state[k]) for k in left.state | right.state)
        and np.array_equal(left.observed_logits, right.observed_logits)
        and np.array_equal(left.hidden_logits, right.hidden_logits)
        and (left.seed, left.best_epoch, left.history, left.seconds)
        == (right.seed, right.best_epoch, right.history, right.seconds)
    )


class Trainer:
    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __call__(self, positions: Sequence[int]) -> list[Trained]:
        self.calls.append(list(positions))
        return [made_up(position) for position in positions]


def test_what_was_trained_once_is_read_back_whole(tmp_path: Path) -> None:
    store, trainer = TeacherCache(tmp_path / "new" / "folder", "use"), Trainer()

    first, hits_first = store.get_or_train(["a", "b"], trainer)
    second, hits_second = store.get_or_train(["a", "b"], trainer)

    assert trainer.calls == [[0, 1]]
    assert (hits_first, hits_second) == ([False, False], [True, True])
    assert all(same(left, right) for left, right in zip(first, second, strict=True))


def test_only_what_is_missing_is_trained(tmp_path: Path) -> None:
    store, trainer = TeacherCache(tmp_path, "use"), Trainer()
    store.get_or_train(["b"], lambda _: [made_up(1)])

    teachers, hits = store.get_or_train(["a", "b", "c"], trainer)

    assert trainer.calls == [[0, 2]]
    assert hits == [False, True, False]
    assert [teacher.seed for teacher in teachers] == [0, 1, 2]


def test_refresh_trains_anew_and_replaces(tmp_path: Path) -> None:
    TeacherCache(tmp_path, "use").get_or_train(["a"], lambda _: [made_up(1)])
    TeacherCache(tmp_path, "refresh").get_or_train(["a"], lambda _: [made_up(2)])

    (found,), hits = TeacherCache(tmp_path, "use").get_or_train(["a"], Trainer())

    assert hits == [True]
    assert same(found, made_up(2))


def test_off_leaves_the_disk_alone(tmp_path: Path) -> None:
    trainer = Trainer()
    for _ in range(2):
        TeacherCache(tmp_path / "cache", "off").get_or_train(["a"], trainer)

    assert trainer.calls == [[0], [0]]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", [b"", b"not a tensor file", None])
def test_a_broken_file_is_named_and_trained_anew(
    tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    store = TeacherCache(tmp_path, "use")
    store.get_or_train(["a"], lambda _: [made_up(1)])
    path = tmp_path / "a.safetensors"
    path.write_bytes(path.read_bytes()[:-3] if damage is None else damage)

    trainer = Trainer()
    store.get_or_train(["a"], trainer)

    assert trainer.calls == [[0]]
    assert caplog.text.count("a.safetensors is damaged") == 1
    assert store.get_or_train(["a"], trainer)[1] == [True]


def test_training_that_fails_leaves_no_file_and_no_lock_held(tmp_path: Path) -> None:
    def fails(_: Sequence[int]) -> list[Trained]:
        raise RuntimeError("out of memory")

    store, trainer = TeacherCache(tmp_path, "use"), Trainer()
    with pytest.raises(RuntimeError):
        store.get_or_train(["a"], fails)
    store.get_or_train(["a"], trainer)

    assert trainer.calls == [[0]]


def _job(folder: Path, start: Any, log: Any) -> None:
    def slow(positions: Sequence[int]) -> list[Trained]:
        import time

        time.sleep(0.5)
        log.put(len(positions))
        return [made_up(position) for position in positions]

    start.wait()
    TeacherCache(folder, "use").get_or_train(["a", "b"], slow)


def test_concurrent_jobs_train_each_teacher_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, log = context.Event(), context.Queue()
    jobs = [context.Process(target=_job, args=(tmp_path, start, log)) for _ in range(3)]
    for job in jobs:
        job.start()
    start.set()
    for job in jobs:
        job.join(120)

    assert [job.exitcode for job in jobs] == [0, 0, 0]
    assert log.get(timeout=10) == 2
    assert log.empty()
    assert not list(tmp_path.glob("*.part"))
