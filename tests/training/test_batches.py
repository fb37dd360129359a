"""Mini-batches: of students exactly the full batch in sum, of teachers a sample of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from support import CPU, config, small_tasks, students, teachers
from torch import Tensor

from gkd_runner.common.errors import ConfigError
from gkd_runner.data.task import Task
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.base import Classroom
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import Config
from gkd_runner.training.stage import Trained
from gkd_runner.training.student import StudentLesson
from gkd_runner.training.student_data import StudentData

SEEDS = (0, 1)
SMALL = ("teacher.hidden_dim=16", "student.hidden_dim=16", "training.max_epochs=4")
SAMPLED = ("training.batch_size=20", "training.fan_outs=[2,3]")


def settings_of(*overrides: str) -> Config:
    return config("teacher=sage", "teacher.num_layers=2", "setting=inductive", *SMALL, *overrides)


def tasks_of(settings: Config, seeds: Sequence[int] = SEEDS) -> list[Task]:
    return small_tasks(settings, seeds)


def lesson_of(
    settings: Config, tasks: list[Task], batch_size: int | None
) -> tuple[Mlp, StudentLesson]:
    method = build_method(settings.method)
    n, classes = len(tasks[0].observed), tasks[0].graph.num_classes
    logits = torch.randn(len(tasks), n, classes, generator=torch.Generator().manual_seed(0))
    method.prepare(Classroom(tasks, logits, 10, lambda replica, graph: logits[replica] * 1.5))
    columns = tasks[0].graph.num_features
    model = Mlp(0.0, [columns, 8, classes], Initializer(SEEDS, "student initialisation"))
    data = StudentData.of(tasks, method, CPU, settings.student, batch_size)
    streams = Streams(SEEDS, "student dropout", CPU)
    return model, StudentLesson(model, method, data, streams)


def epoch_of(settings: Config, tasks: list[Task], batch_size: int | None) -> tuple[Tensor, ...]:
    """The loss of the second epoch, of which the method has seen the first; and its gradient."""
    model, lesson = lesson_of(settings, tasks, batch_size)
    with torch.no_grad():
        for _ in lesson.losses(1):
            pass
        lesson.validate()
    total = sum(share * loss for loss, share in lesson.losses(2))
    assert isinstance(total, Tensor)
    return total.detach(), *torch.autograd.grad(total.sum(), list(model.parameters()))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_sum_over_batches_is_the_loss_and_the_gradient_of_the_full_batch(method: str) -> None:
    lam = 0.4 if METHODS[method].distils else 1
    settings = settings_of(f"method={method}", f"method.lam={lam}")
    tasks = tasks_of(settings)
    whole, parts = (epoch_of(settings, tasks, size) for size in (None, 17))
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-4)


def test_each_step_descends_an_estimate_of_the_whole_loss() -> None:
    settings = settings_of("method=glnn")
    tasks = tasks_of(settings)
    _, lesson = lesson_of(settings, tasks, 17)
    _, full = lesson_of(settings, tasks, None)
    ((whole, _),) = full.losses(1)
    losses = [loss.detach() for loss, _ in lesson.losses(1)]
    assert len(losses) == -(-len(tasks[0].observed) // 17)
    assert all((0.3 * whole < loss).all() and (loss < 3 * whole).all() for loss in losses)


def test_a_sampled_epoch_is_one_step_on_an_estimate_of_the_whole_loss() -> None:
    settings = settings_of("method=infgrand", "student.sampled_nodes=40")
    tasks = tasks_of(settings)
    _, lesson = lesson_of(settings, tasks, None)
    _, full = lesson_of(settings_of("method=infgrand"), tasks, None)
    ((whole, _),) = full.losses(1)
    epochs = [list(lesson.losses(epoch)) for epoch in range(1600)]
    assert {len(steps) for steps in epochs} == {1}
    mean = torch.stack([steps[0].loss.detach() for steps in epochs]).mean(0)
    torch.testing.assert_close(mean, whole.detach(), rtol=0.02, atol=0)


@pytest.mark.parametrize("batch_size", [None, 17])
def test_a_sample_of_all_nodes_has_the_loss_and_the_gradient_of_the_full_batch(
    batch_size: int | None,
) -> None:
    tasks = tasks_of(settings_of("method=krd"))
    whole = epoch_of(settings_of("method=krd"), tasks, None)
    sampled = epoch_of(settings_of("method=krd", "student.sampled_nodes=1000"), tasks, batch_size)
    torch.testing.assert_close(sampled, whole, atol=1e-5, rtol=1e-4)


def trained(settings: Config, seeds: Sequence[int] = SEEDS) -> tuple[list[Trained], list[Trained]]:
    tasks = tasks_of(settings, seeds)
    taught = teachers(settings, tasks)
    return taught, students(settings, tasks, taught)


def assert_equal(ours: Trained, theirs: Trained, *, exact: bool) -> None:
    atol = 0 if exact else 1e-4
    for name, weights in ours.state.items():
        torch.testing.assert_close(weights, theirs.state[name], atol=atol, rtol=atol)
    for part in ("observed_logits", "hidden_logits"):
        a, b = getattr(ours, part), getattr(theirs, part)
        np.testing.assert_allclose(a, b, atol=10 * atol, rtol=0)
    mine, other = ([list(epoch[:4]) for epoch in t.history] for t in (ours, theirs))
    np.testing.assert_allclose(mine, other, atol=atol, rtol=atol)


@pytest.mark.parametrize("teacher", ["gcn", "sage"])
def test_a_single_batch_of_all_nodes_and_neighbours_trains_as_the_full_batch(teacher: str) -> None:
    plain = (f"teacher={teacher}", "teacher.dropout=0", "student.dropout=0", "method=glnn")
    whole = trained(settings_of(*plain))
    one = trained(settings_of(*plain, "training.batch_size=1000"))
    drawn = (
        "training.batch_size=1000",
        "training.fan_outs=[200,200]",
    )
    sampled = trained(settings_of(*plain, *drawn))
    for other in (one, sampled):
        for stage, expected in zip(other, whole, strict=True):
            for ours, theirs in zip(stage, expected, strict=True):
                assert_equal(ours, theirs, exact=False)


@pytest.mark.parametrize("teacher", ["gcn", "sage", "gat"])
def test_two_trainings_give_the_same_numbers(teacher: str) -> None:
    settings = settings_of(f"teacher={teacher}", "method=hgmd-weight", *SAMPLED)
    for once, again in zip(trained(settings), trained(settings), strict=True):
        for ours, theirs in zip(once, again, strict=True):
            assert_equal(ours, theirs, exact=True)


@pytest.mark.parametrize("sampled", [True, False])
def test_a_seed_trains_alike_whichever_seeds_it_trains_with(sampled: bool) -> None:
    settings = settings_of("method=glnn", *(SAMPLED if sampled else ()))
    for together, alone in zip(trained(settings), trained(settings, [1]), strict=True):
        assert_equal(alone[0], together[1], exact=False)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.fan_outs=[5,10]"], "without training.batch_size"),
        (
            ["training.fan_outs=[5]", "training.batch_size=10"],
            r"fan_outs=\[5\], but teacher.num_layers=2; give one number for each layer",
        ),
        (["training.batch_size=0"], "training.batch_size=0"),
        (["training.fan_outs=[5,0]", "training.batch_size=10"], "training.fan_outs"),
    ],
)
def test_options_that_make_no_batches_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings_of(*overrides)


@pytest.mark.slow
def test_full_batches_train_without_dgl(tmp_path: Path) -> None:
    script = (
        "import sys; from gkd_runner import compose, train;"
        "train(compose('dataset=synthetic dataset.nodes=300 protocol=krd seeds=1"
        " training.max_epochs=2 teacher.hidden_dim=8 student.hidden_dim=8"
        " tracker=none output_dir=' + sys.argv[1]));"
        "assert 'torch' in sys.modules;"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'dgl']"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
