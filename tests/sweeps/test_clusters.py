"""Sweeps on Ray and on Slurm, of which a node dies: every cell once, every teacher trained once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import SMALL, Done
from tests.sweeps.engines import DAEMONS, PATIENCE_S, Cluster, SlurmCluster, cluster, until
from tests.sweeps.test_launchers import results

EPOCHS = 600
"""Long enough for a node to die during a cell."""
SWEEP = (
    "-m",
    *SMALL,
    "method=mlp,glnn",
    "teacher=gcn,sage",
    "seeds=[0]",
    "dataset.nodes=300",
    "dataset.features=64",
    f"training.max_epochs={EPOCHS}",
    f"training.patience={EPOCHS}",
)
NEEDS = {
    "ray": find_spec("ray") is not None and find_spec("hydra_plugins.hydra_ray_launcher"),
    "slurm": all(
        shutil.which(name, path=DAEMONS) for name in ("munged", "slurmctld", "slurmd", "sbatch")
    ),
}
INSTALL = {"ray": 'pip install -c constraints.txt -e ".[ray]"', "slurm": "slurm-wlm and munge"}
pytestmark = pytest.mark.slow


def started(name: str) -> AbstractContextManager[Cluster]:
    if not NEEDS[name]:
        pytest.skip(f"{name} is not installed: {INSTALL[name]}")
    return cluster(name)


@pytest.fixture(params=list(NEEDS))
def engine(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with started(request.param) as running:
        running.start_node("b")
        yield running


def sweep(engine: Cluster, folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gkd_runner.cli.train", *SWEEP, *engine.options, *options],
        cwd=folder, env=os.environ | engine.environment | {"OMP_NUM_THREADS": "1"}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def kill_in_the_middle(engine: Cluster, folder: Path, process: subprocess.Popen[str]) -> None:
    """Kill a node once each of the two trains a cell."""
    training = "outputs/runs/**/metrics.jsonl"
    until(lambda: len(list(folder.glob(training))) == 2 or process.poll(), f"two cells in {folder}")
    assert process.poll() is None
    assert results(folder) == []
    engine.kill_node("b")


def ended(process: subprocess.Popen[str]) -> Done:
    with process:
        out, errors = process.communicate(timeout=PATIENCE_S)
    return Done(process.returncode, out, errors)


def stored_teachers(folder: Path) -> dict[str, tuple[int, int]]:
    """File and time of writing of each, which change if it is trained again."""
    files = {path.stem: path.stat() for path in folder.glob("outputs/cache/teachers/*.safetensors")}
    return {key: (file.st_ino, file.st_mtime_ns) for key, file in files.items()}


def check_each_cell_and_teacher_once(folder: Path) -> None:
    found = results(folder)
    cells = [(run["identity"]["teacher"], run["identity"]["method"]) for run in found]
    assert sorted(cells) == [("gcn", "glnn"), ("gcn", "mlp"), ("sage", "glnn"), ("sage", "mlp")]
    seeds = [seed for run in found for seed in run["seeds"]]
    trained = [seed["teacher_key"] for seed in seeds if not seed["teacher_cached"]]
    assert len(trained) == len(set(trained))
    assert stored_teachers(folder).keys() == {seed["teacher_key"] for seed in seeds}


def test_the_cell_of_a_node_that_dies_runs_again_on_another(
    engine: Cluster, tmp_path: Path
) -> None:
    process = sweep(engine, tmp_path)
    kill_in_the_middle(engine, tmp_path, process)
    stored = stored_teachers(tmp_path)
    done = ended(process)

    assert done.returncode == 0, done.stderr
    assert stored.items() <= stored_teachers(tmp_path).items()
    check_each_cell_and_teacher_once(tmp_path)


def test_a_sweep_that_lost_a_cell_with_a_node_finishes_with_a_second_start(
    engine: Cluster, tmp_path: Path
) -> None:
    process = sweep(engine, tmp_path, *engine.no_retry)
    kill_in_the_middle(engine, tmp_path, process)
    if isinstance(engine, SlurmCluster):  # without accounting, nobody tells of the lost job
        process.send_signal(signal.SIGINT)
    first = ended(process)

    if isinstance(engine, SlurmCluster):
        assert first.returncode == 130, first.stderr
        until(lambda: not engine.tell("squeue", "--noheader"), "jobs that outlive their sweep")
    else:
        assert first.returncode == 1
        assert (
            "gkd-train: the launcher ended the sweep: Task failed because the node" in first.stderr
        )
        assert "Traceback" not in first.stderr
    assert len(results(tmp_path)) < 4

    stored = stored_teachers(tmp_path)
    second = ended(sweep(engine, tmp_path))

    assert second.returncode == 0, second.stderr
    assert stored.items() <= stored_teachers(tmp_path).items()
    check_each_cell_and_teacher_once(tmp_path)


def test_what_sbatch_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    with started("slurm") as slurm:
        done = ended(sweep(slurm, tmp_path, "hydra.launcher.partition=nowhere"))

    assert done.returncode == 1
    assert "the launcher ended the sweep: sbatch: error: invalid partition" in done.stderr
    assert "Traceback" not in done.stderr
    assert results(tmp_path) == []
