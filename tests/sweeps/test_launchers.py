"""Sweeps in several processes: all cells, each teacher once, failures told apart."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gkd_runner.common.errors import DataError
from gkd_runner.data.npz import save_npz
from gkd_runner.sweeps.folder import begin
from gkd_runner.sweeps.run import run_cell
from tests.support import SIZES, SMALL, Done, config, small_graph
from tests.sweeps.engines import PATIENCE_S, children, until

LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"],
}


def processes(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GKD_")}
    return subprocess.run(
        [sys.executable, "-m", "gkd_runner.cli.train", *arguments],
        cwd=folder, env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in folder.glob("outputs/runs/**/result.json")]


def rows(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of the closing table, by the cell that they start with."""
    table = done.stdout.partition(" cell ")[2]
    return [
        line.strip() for line in table.splitlines() if line.startswith((" method=", " dataset="))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_finishes_every_cell_and_trains_each_teacher_once(
    tmp_path: Path, launcher: str
) -> None:
    swept = ["method=glnn,hgmd-mixup", "seeds=[0]"]
    done = processes(tmp_path, "-m", *LAUNCHERS[launcher], *SMALL, *swept)

    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert sorted(run["identity"]["method"] for run in found) == ["glnn", "hgmd-mixup"]
    trained = [seed["teacher_key"] for run in found for seed in run["seeds"]
               if not seed["teacher_cached"]]  # fmt: skip
    stored = [path.stem for path in tmp_path.glob("outputs/cache/teachers/*.safetensors")]
    assert trained == stored
    assert len(stored) == 1
    assert len(rows(done)) == 2
    assert not any("failed" in row or "not run" in row for row in rows(done))


@pytest.mark.slow
def test_a_cell_that_fails_in_a_process_of_its_own_is_listed_and_the_others_finish(
    tmp_path: Path,
) -> None:
    save_npz(small_graph(), tmp_path / "mine.npz")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "broken.npz").write_text("no arrays")
    swept = ["method=mlp", "dataset=other/broken.npz,mine.npz", "seeds=0"]
    done = processes(tmp_path, "-m", *LAUNCHERS["joblib"], *SIZES, *swept)

    assert done.returncode == 1
    assert "1 of 2 cells done, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "1 cell failed:" in done.stdout
    assert ["failed" in row for row in rows(done)] == [True, False]
    assert sorted(run["identity"]["method"] for run in results(tmp_path)) == ["mlp"]


@pytest.mark.slow
def test_a_job_that_is_killed_is_told_in_one_line_and_the_others_finish(tmp_path: Path) -> None:
    many = ("training.max_epochs=600", "training.patience=600")
    command = ["-m", *LAUNCHERS["submitit_local"], *SMALL, "method=glnn,mlp", "seeds=[0]", *many]
    with subprocess.Popen(
        [sys.executable, "-m", "gkd_runner.cli.train", *command], cwd=tmp_path, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        jobs = "outputs/sweeps/*/.submitit/*/*_submitted.pkl"
        until(lambda: len(list(tmp_path.glob(jobs))) == 2, "two jobs")
        first = min(int(path.parent.name) for path in tmp_path.glob(jobs))
        until(lambda: children(first), "the job's own process")
        os.kill(children(first)[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 1
    assert f"gkd-train: the launcher ended the sweep: Job {first} " in errors
    assert "Traceback" not in errors
    (log,) = tmp_path.glob("outputs/sweeps/*/launcher.log")
    assert "UncompletedJobError" in log.read_text()
    assert [run["identity"]["method"] for run in results(tmp_path)] == ["mlp"]


@pytest.mark.parametrize("command", ["sbatch", "srun"])
def test_slurm_without_its_commands_is_refused_before_anything_runs(
    command: str, tmp_path: Path, gkd_train: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"sbatch", "srun", "scancel"} - {command}:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    done = gkd_train(tmp_path, "-m", "hydra/launcher=submitit_slurm", *SMALL, "method=mlp,glnn")

    assert done.returncode == 1
    assert f"needs Slurm's command {command}, which is not on the PATH" in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_on_error_stop_keeps_cells_of_other_processes_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config("seeds=[0]", f"output_dir={tmp_path}", "on_error=stop")
    sweep = begin(tmp_path, [])
    sweep.record_failure(0, settings, DataError("nowhere.npz: no such file"))

    assert math.isnan(run_cell(sweep, 1, settings))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("plugin", "arguments", "expected"),
    [
        (
            "hydra_submitit_launcher",
            ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu"],
            ["submitit_launcher.SlurmLauncher", "partition: gpu"],
        ),
        (
            "hydra_ray_launcher",
            ["hydra/launcher=ray", "+hydra.launcher.ray.remote.num_cpus=1"],
            ["ray_launcher.RayLauncher", "num_cpus: 1"],
        ),
    ],
)
def test_launchers_of_clusters_compose(
    tmp_path: Path,
    plugin: str,
    arguments: list[str],
    expected: list[str],
    gkd_train: Callable[..., Done],
) -> None:
    pytest.importorskip(f"hydra_plugins.{plugin}", reason=f"{plugin} is not installed")
    done = gkd_train(tmp_path, *arguments, "--cfg", "hydra")

    assert done.returncode == 0, done.stderr
    for text in expected:
        assert text in done.stdout
