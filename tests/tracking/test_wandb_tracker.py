from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gkd_runner.tracking.metrics import STAGES
from gkd_runner.tracking.wandb_tracker import WandbTracker
from tests.tracked import TrackedRun, offline_env, python, read_runs

Tracked = tuple[list[str], Path, dict[str, TrackedRun]]


@pytest.fixture(scope="module")
def tracked(three_seeds: str, tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """Lines that were printed, the job's folder, and what W&B has of each run."""
    home, job = (tmp_path_factory.mktemp(name) for name in ("home", "job"))
    environment = offline_env(home)
    printed = python("-c", three_seeds, "wandb", str(job), env=environment, cwd=home)
    return printed.splitlines(), job, read_runs(job, environment)


@pytest.mark.slow
def test_interleaved_seeds_are_read_back(tracked: Tracked) -> None:
    printed, job, runs = tracked
    assert printed == [  # and nothing of W&B's own
        f"look wandb leet {job}/wandb",
        f"upload wandb sync {job}/wandb/offline-run-*",
    ]

    assert sorted(runs) == [f"glnn-{seed}" for seed in range(2022, 2025)]
    for name, run in runs.items():
        seed = int(name[-4:])
        assert run.shown["config"] == {"method": {"name": "glnn", "tau": 2.0}, "seed": seed}
        assert run.shown["tags"] == ["cora", "gcn"]
        assert run.shown["exit_code"] == (0 if seed == 2022 else 1)
        where = [run.opened[key] for key in ("project", "run_group", "job_type")]
        assert where == ["study", "glnn/gcn/cora", "distil"]
        for stage in STAGES.values():
            expected = [(epoch, epoch / 100 + seed) for epoch in range(1, 11)]
            assert run.curve(stage.epoch, stage.score("val")) == expected


@pytest.mark.slow
def test_the_summary_is_the_selected_epochs_and_the_best_so_far_of_a_run_that_failed(
    tracked: Tracked,
) -> None:
    runs = tracked[2]
    assert runs["glnn-2022"].summary == {
        "temperature": 0.2022,
        "student/best_epoch": 7,
        "student/val_accuracy": 0.07,
        "teacher/val_accuracy": {"max": 2022.1},
        "warnings": "flat teacher",
    }
    assert runs["glnn-2023"].summary == {
        "student/val_accuracy": {"max": 2023.1},
        "teacher/val_accuracy": {"max": 2023.1},
    }


@pytest.mark.slow
def test_curves_are_drawn_over_their_own_epochs_and_final_numbers_as_bars(tracked: Tracked) -> None:
    run = tracked[2]["glnn-2022"]
    for stage in STAGES.values():
        assert run.defined[stage.epoch]["options"]["hidden"]
        for name in stage.curves:
            assert run.defined[name]["step_metric"] == stage.epoch
    once = [row for row in run.rows if "temperature" in row]
    assert once == [{"temperature": 0.2022, "student/best_epoch": 7}]  # W&B: one value, one bar


class FakeWandb:
    """Stands in for the package: its online init fails, its key is there or not."""

    Settings = SimpleNamespace

    def __init__(self, *, key: bool | Exception, mode: str = "online", finish: Any = None) -> None:
        self.key = key
        self.finish = finish
        self.mode = mode
        self.inits: list[dict[str, Any]] = []

    def setup(self, settings: Any) -> Any:
        return SimpleNamespace(settings=SimpleNamespace(mode=self.mode))

    def login(self, *, prompt: bool, verify: bool) -> bool:
        assert not prompt, "a prompt would hang the job"
        if isinstance(self.key, Exception):
            raise self.key
        return self.key

    def init(self, **kwargs: Any) -> Any:
        self.inits.append(kwargs)
        if kwargs["mode"] == "online":
            raise ConnectionError("no route to host\nadvice")
        return SimpleNamespace(
            name=kwargs["name"],
            dir="/job/wandb/run-1/files",
            define_metric=lambda *_, **__: None,
            summary={},
            finish=self.finish,
        )


def use(monkeypatch: pytest.MonkeyPatch, fake: FakeWandb) -> FakeWandb:
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_failing_online_init_is_said_once_and_recorded_offline(
    tmp_path: Path, monkeypatch, identity, caplog
) -> None:
    fake = use(monkeypatch, FakeWandb(key=True))
    tracker = WandbTracker(tmp_path)
    for seed in range(3):
        tracker.begin(identity(seed))
    assert [init["mode"] for init in fake.inits] == ["online", *["offline"] * 3]
    assert {init["reinit"] for init in fake.inits} == {"create_new"}
    [warning] = caplog.records
    assert "(ConnectionError: no route to host)" in warning.message
    assert f"wandb sync {tmp_path}/wandb/offline-run-*" in warning.message


@pytest.mark.parametrize(
    ("mode", "settings_mode", "key", "used", "warns"),
    [
        (None, "online", False, "offline", False),
        (None, "offline", True, "offline", False),
        (None, "disabled", True, "disabled", False),
        ("online", "offline", False, "offline", True),
        ("offline", "online", True, "offline", False),
    ],
)
def test_mode_follows_the_option_then_the_settings_then_the_key(
    tmp_path: Path, monkeypatch, identity, caplog, mode, settings_mode, key, used, warns
) -> None:
    fake = use(monkeypatch, FakeWandb(key=key, mode=settings_mode))
    tracker = WandbTracker(tmp_path, mode=mode)
    tracker.begin(identity(0))
    assert [init["mode"] for init in fake.inits] == [used]
    assert bool(caplog.records) is warns
    labels = [label for label, _ in tracker.hint()]
    assert labels == (["look", "upload"] if used == "offline" else [])


def test_a_key_that_wandb_refuses_is_told_and_recorded_offline(
    tmp_path: Path, monkeypatch, identity, caplog
) -> None:
    fake = use(monkeypatch, FakeWandb(key=ValueError("API key must have 40+ characters, has 5.")))
    WandbTracker(tmp_path).begin(identity(0))
    assert [init["mode"] for init in fake.inits] == ["offline"]
    [warning] = caplog.records
    assert warning.message == (
        "W&B cannot be used online (ValueError: API key must have 40+ characters, has 5.):"
        " recording offline"
    )


def test_uploads_that_take_too_long_are_waited_for_together_and_left_on_disk(
    tmp_path: Path, monkeypatch, identity, caplog
) -> None:
    codes, together = [], threading.Barrier(2)

    def finish(exit_code: int) -> None:
        codes.append(exit_code)
        together.wait(60)  # for the other run
        raise TimeoutError

    use(monkeypatch, FakeWandb(key=False, finish=finish))
    tracker = WandbTracker(tmp_path)
    for seed in range(2):
        tracker.begin(identity(seed))
    tracker.finish(0, {})
    tracker.close(failed=True)
    tracker.close()
    assert codes == [0, 1]
    assert not together.broken
    [warning] = caplog.records
    assert warning.message == (
        "W&B did not take all of glnn-0, glnn-1; upload the rest with:"
        " wandb sync --include-online /job/wandb/run-1 /job/wandb/run-1"
    )


@pytest.mark.slow
def test_wandb_mode_of_the_environment_is_respected(three_seeds: str, tmp_path: Path) -> None:
    disabled = offline_env(tmp_path / "home") | {"WANDB_MODE": "disabled"}
    printed = python("-c", three_seeds, "wandb", str(tmp_path / "job"), env=disabled, cwd=tmp_path)
    assert printed.strip() == ""
    assert not list(tmp_path.glob("job/wandb/*run-*"))
