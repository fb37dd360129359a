"""What is the same to the last bit, and what is the same up to rounding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import CPU, LIVELY, config, small_graph, small_tasks, students, teachers

from gkd_runner.common.errors import ConfigError, TrainingError
from gkd_runner.models import forms, inputs
from gkd_runner.results.key import config_key
from gkd_runner.runs import environment
from gkd_runner.runs import train as runs
from gkd_runner.runs.environment import WORKSPACE, deterministic_algorithms
from gkd_runner.runs.reload import reload_run
from gkd_runner.runs.train import train
from gkd_runner.training.soft_labels import key_of
from gkd_runner.training.stage import Trained

SIZE = ("seeds=[3,4]", "dataset.nodes=300", "dataset.features=64", "training.max_epochs=4")
SURE = "deterministic=true"


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def assert_equal_up_to_rounding(found: Trained, expected: Trained) -> None:
    """Of trainings too short for rounding to grow."""
    histories = [[epoch[:3] for epoch in one.history] for one in (found, expected)]
    np.testing.assert_allclose(*histories, rtol=1e-5)
    np.testing.assert_allclose(found.observed_logits, expected.observed_logits, atol=1e-4)


@pytest.mark.parametrize("method", ["infgrand", "hgmd-weight", "krd"])
def test_the_number_of_threads_changes_rounding_alone(method: str) -> None:
    wide = ("teacher.hidden_dim=128", "student.hidden_dim=128", "training.max_epochs=3")
    settings = config(f"method={method}", *wide, *LIVELY.get(method, ()))
    tasks = small_tasks(settings, [3], small_graph())
    both = []
    for count in (1, 2):
        with threads(count):
            taught = teachers(settings, tasks)
            both.append([*taught, *students(settings, tasks, taught)])
    for found, expected in zip(*both, strict=True):
        assert_equal_up_to_rounding(found, expected)


def test_a_run_of_other_threads_and_replicas_is_read_back(tmp_path: Path) -> None:
    with threads(2):
        run = train(config(*SIZE, f"output_dir={tmp_path}", "replicas=2")).path
    with threads(1):
        for seed in (3, 4):
            assert reload_run(run, seed).result.seed == seed


def test_a_result_names_the_threads_and_replicas_that_it_was_made_with(tmp_path: Path) -> None:
    with threads(2):
        run = train(config(*SIZE, f"output_dir={tmp_path}", "replicas=2", SURE)).path
    found = json.loads((run / "result.json").read_text())
    assert found["device"]["threads"] == 2
    assert (found["replicas"], found["deterministic"]) == (2, True)


def test_threads_and_replicas_are_in_no_key_and_deterministic_is() -> None:
    keys = []
    for overrides in ((), ("replicas=2",), (SURE,)):
        own = config(*overrides)
        (task,) = small_tasks(own, [3], small_graph())
        keys.append((config_key(own, small_graph(), CPU), key_of(task, own, CPU)))
    with threads(2):
        assert config_key(config(), small_graph(), CPU) == keys[0][0]
    assert keys[0] == keys[1]
    assert keys[2][0] != keys[0][0]
    assert keys[2][1] != keys[0][1]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let all first layers be decided by time, and give the times."""

    def set_times(times: Callable[[], float]) -> None:
        monkeypatch.setitem(forms.UNCERTAIN, "cpu", (0.0, float("inf")))
        monkeypatch.setattr(inputs, "DECISIONS", forms.Decisions())
        monkeypatch.setattr(inputs, "_seconds", lambda *_: times())

    return set_times


def numbers(run: Path) -> tuple[str, dict[str, dict[str, torch.Tensor]]]:
    files = {file.name: load_file(file) for file in run.glob("student-*")}
    return (run / "metrics.jsonl").read_text(), files


@pytest.mark.parametrize(
    ("teacher", "method"),
    [("gcn", "hgmd-mixup"), ("sage", "krd"), ("gat", "infgrand"), ("gcn", "adaprop")],
)
def test_deterministic_trainings_from_scratch_are_identical_whatever_times_are_measured(
    teacher: str, method: str, tmp_path: Path, timed: Callable[..., None]
) -> None:
    own = (f"method={method}", f"teacher={teacher}", *LIVELY.get(method, ()), SURE)
    found = []
    for name, times in (("one", iter([1.0, 9.0] * 99)), ("two", iter([9.0, 1.0] * 99))):
        timed(lambda times=times: next(times))
        assert not torch.are_deterministic_algorithms_enabled()
        found.append(numbers(train(config(*SIZE, f"output_dir={tmp_path / name}", *own)).path))
        assert not torch.are_deterministic_algorithms_enabled()

    (one, states), (two, same) = found
    assert one == two
    for file, state in states.items():
        assert all(torch.equal(value, same[file][key]) for key, value in state.items())


def test_without_it_a_measured_time_may_change_rounding(
    tmp_path: Path, timed: Callable[..., None]
) -> None:
    """So that the test above is not of trainings that no time changes."""
    asked = []
    timed(lambda: asked.append(0) or 1.0)
    train(config(*SIZE, f"output_dir={tmp_path}"))
    assert asked


def test_an_operation_without_a_deterministic_form_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(text: str) -> Any:
        def fails(*_: object) -> None:
            raise RuntimeError(text)

        monkeypatch.setattr(runs, "make_soft_labels", fails)
        return config(*SIZE, f"output_dir={tmp_path}", SURE)

    text = "cumsum_cuda_kernel does not have a deterministic implementation, but you set ..."
    with pytest.raises(TrainingError, match=r"no deterministic form of cumsum_cuda_kernel on cpu"):
        train(raising(text))
    with pytest.raises(RuntimeError, match="a bug"):
        train(raising("a bug"))


@pytest.mark.parametrize(
    ("given", "running", "refused"),
    [
        (None, False, False), (":16:8", False, False), (":4096:8", True, False),
        (None, True, True), ("4", False, True),
    ],
)  # fmt: skip
def test_cublas_gets_a_workspace_of_a_fixed_size_or_says_how(
    given: str | None, running: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKSPACE, given or "")
    if given is None:
        monkeypatch.delenv(WORKSPACE)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: running)
    gpu = torch.device("cuda")
    if refused:
        with pytest.raises(ConfigError, match=f"{WORKSPACE}=:4096:8 and start"):
            deterministic_algorithms(True, gpu).__enter__()
        return
    with deterministic_algorithms(True, gpu):
        assert environment.os.environ[WORKSPACE] == (given or ":4096:8")
