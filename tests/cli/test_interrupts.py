"""Signals at any moment, once or several times, end gkd-train with their code and whole files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import SMALL
from tests.tracked import offline_env, read_runs

pytestmark = pytest.mark.slow

PRESS = Path(__file__).with_name("press.py")
TRACKED = [text for text in SMALL if text != "tracker=none"]
ENDLESS = ("training.max_epochs=1000000", "training.patience=1000000")
SWEEP = ("-m", "method=mlp,glnn", "seeds=[0]", *ENDLESS)
PATIENCE_S = 240
"""A test that would wait longer fails; no test is passed by waiting."""


TOLD = {
    "SIGINT": "gkd-train: interrupted; the same command goes on from what is finished",
    "SIGTERM": "gkd-train: interrupted by SIGTERM; the same command goes on from what is finished",
    "SIGHUP": "gkd-train: interrupted by SIGHUP; the same command goes on from what is finished",
}


def check(process: subprocess.Popen[str], errors: str, folder: Path, name: str) -> None:
    assert process.returncode == 128 + signal.Signals[name], errors
    assert TOLD[name] in errors.splitlines()
    assert not list(folder.rglob("*.part"))
    assert not list(folder.rglob("result.json"))
    for path in folder.rglob("metrics.jsonl"):
        assert all(json.loads(line)["epoch"] for line in path.read_text().splitlines())


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=offline_env(folder / "home"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("signals", "moments", "arguments"),
    [
        ("SIGINT", "import:hydra,exit", ("seeds=[0]",)),
        ("SIGTERM", "import:torch,import:torch.nn,exit", ("seeds=[0]",)),
        ("SIGTERM+SIGINT+SIGHUP", "epoch,close,exit", ("seeds=[0]", *ENDLESS)),
        ("SIGHUP+SIGTERM+SIGINT", "epoch,close,exit", SWEEP),
    ],
    ids=["import", "import of torch", "job", "sweep"],
)
def test_signals_can_come_at_any_moment(
    signals: str, moments: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    with started(tmp_path, str(PRESS), f"{signals}@{moments}", *TRACKED, *arguments) as process:
        _, errors = process.communicate(timeout=PATIENCE_S)

    first = signals.partition("+")[0]
    check(process, errors, tmp_path / "outputs", first)
    assert errors.splitlines()[-1] == TOLD[first]
    for run in read_runs(tmp_path / "outputs", offline_env(tmp_path / "home")).values():
        assert run.shown["exit_code"] == 1  # closed, as failed


@pytest.mark.parametrize(("name", "presses"), [("SIGINT", 20), ("SIGTERM", 1)])
def test_a_sweep_with_processes_of_its_own_takes_them_along(
    name: str, presses: int, tmp_path: Path
) -> None:
    joblib = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "tracker=none")
    train = ("-m", "gkd_runner.cli.train", *SWEEP, *TRACKED, *joblib)
    with started(tmp_path, *train) as process:
        while not list(tmp_path.rglob("metrics.jsonl")) and process.poll() is None:
            time.sleep(0.1)
        for _ in range(presses):
            os.killpg(process.pid, signal.Signals[name])  # as terminals and schedulers do
        _, errors = process.communicate(timeout=PATIENCE_S)  # ends once all its processes have

    check(process, errors, tmp_path / "outputs", name)
    if presses == 1:  # joblib's own processes print a traceback if pressed while they hand over
        assert "Traceback" not in errors


def test_jobs_of_submitit_end_with_their_sweep(tmp_path: Path) -> None:
    submitit = ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10", "tracker=none")
    train = ("-m", "gkd_runner.cli.train", *SWEEP, *TRACKED, *submitit)
    with started(tmp_path, *train) as process:
        while not list(tmp_path.rglob("metrics.jsonl")) and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)  # to none of the jobs
        _, errors = process.communicate(timeout=PATIENCE_S)  # ends once all its processes have

    check(process, errors, tmp_path / "outputs", "SIGTERM")
