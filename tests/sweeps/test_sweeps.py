"""Sweeps skip what is done, survive what fails, go on after a kill, and say how far they are."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gkd_runner.data.npz import save_npz
from gkd_runner.data.task import Replica
from gkd_runner.sweeps.folder import Planned, begin
from gkd_runner.sweeps.progress import duration, progress
from tests.support import SIZES, SMALL, Done, small_graph

SWEEP = ("method=glnn,infgrand", "teacher=gcn,sage", "seeds=[0,1]")
GKD = (sys.executable, "-m", "gkd_runner.cli.train", "-m")


@pytest.fixture
def sweep(gkd_train: Callable[..., Done]) -> Callable[..., Done]:
    def run(folder: Path, *overrides: str, dataset: str = "synthetic") -> Done:
        return gkd_train(folder, "-m", f"dataset={dataset}", *SIZES, *overrides)

    return run


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(p.read_text()) for p in sorted(folder.glob("outputs/runs/**/result.json"))]


def accuracies(folder: Path) -> dict[tuple[str, str, int], Any]:
    """All accuracies of teacher and student, by method, teacher and seed."""
    return {
        (run["identity"]["method"], run["identity"]["teacher"], seed["seed"]): (
            seed["teacher"]["scores"],
            seed["student"]["scores"],
        )
        for run in results(folder)
        for seed in run["seeds"]
    }


def closing_table(output: str) -> str:
    return output[output.index(" cell ") : output.index("accuracy in % of the test nodes")]


def test_the_plan_counts_cells_and_teachers_and_a_second_start_trains_nothing(
    tmp_path: Path, sweep: Callable[..., Done]
) -> None:
    first = sweep(tmp_path, *SWEEP)
    second = sweep(tmp_path, *SWEEP)

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "4 cells: 0 finished before, 4 to run" in first.stdout
    assert "0 cached, 4 to train" in first.stdout
    assert re.search(r"1 of 4 cells done, about \d+ (s|min|h)", first.stdout)
    assert "4 cells: 4 finished before, 0 to run" in second.stdout
    assert len(results(tmp_path)) == 4
    assert closing_table(first.stdout) == closing_table(second.stdout)


def test_only_the_seeds_that_are_missing_are_trained(
    tmp_path: Path, sweep: Callable[..., Done]
) -> None:
    sweep(tmp_path, "method=glnn", "seeds=[0,1]")
    more = sweep(tmp_path, "method=glnn", "seeds=[0,1,2]")

    assert more.returncode == 0, more.stderr
    seeds = [[seed["seed"] for seed in run["seeds"]] for run in results(tmp_path)]
    assert sorted(seeds) == [[0, 1], [2]]
    assert len(accuracies(tmp_path)) == 3


def test_rerun_trains_again_and_gives_the_same_numbers(
    tmp_path: Path, sweep: Callable[..., Done]
) -> None:
    sweep(tmp_path, "method=glnn", "seeds=[0]")
    before = accuracies(tmp_path)
    again = sweep(tmp_path, "method=glnn", "seeds=[0]", "rerun=true")

    assert "1 cell: 0 finished before, 1 to run" in again.stdout
    assert len(results(tmp_path)) == 2
    assert accuracies(tmp_path) == before


def started_runs(folder: Path) -> list[Path]:
    return list((folder / "outputs/runs").rglob("metrics.jsonl"))


@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_goes_on_and_ends_like_one_that_was_not(
    tmp_path: Path, sweep: Callable[..., Done]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    assert sweep(whole, *SWEEP).returncode == 0

    seed = int.from_bytes(os.urandom(4), "big")
    print("delays drawn with seed", seed)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        before = len(started_runs(killed))
        with subprocess.Popen(
            [*GKD, *SMALL, *SWEEP], cwd=killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while len(started_runs(killed)) == before and process.poll() is None:
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 1.5))
            process.send_signal(signal.SIGKILL)
    last = sweep(killed, *SWEEP)

    assert last.returncode == 0, last.stderr
    assert accuracies(killed) == accuracies(whole)
    assert not list((killed / "outputs/runs").rglob("*.part"))


@pytest.mark.slow
def test_two_sweeps_at_once_train_each_teacher_once_and_agree(tmp_path: Path) -> None:
    both = [
        subprocess.Popen([*GKD, *SMALL, *SWEEP], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    tables = [process.communicate()[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert closing_table(tables[0]) == closing_table(tables[1])
    fresh = [
        seed["teacher_key"]
        for run in results(tmp_path)
        for seed in run["seeds"]
        if not seed["teacher_cached"]
    ]
    assert len(fresh) == len(set(fresh)) == 4
    assert len(results(tmp_path)) == 4  # nor a cell twice


@pytest.mark.slow
def test_a_sweep_that_starts_while_another_runs_ends_as_well_as_that_one(
    tmp_path: Path, sweep: Callable[..., Done]
) -> None:
    with subprocess.Popen(
        [*GKD, *SMALL, *SWEEP], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as first:
        while not started_runs(tmp_path):
            assert first.poll() is None
            time.sleep(0.05)
        second = sweep(tmp_path, *SWEEP)
        output, _ = first.communicate()

    assert (first.returncode, second.returncode) == (0, 0)
    assert closing_table(output) == closing_table(second.stdout)


def broken_and_sound_graphs(tmp_path: Path) -> None:
    save_npz(small_graph(), tmp_path / "sound.npz")
    with np.load(tmp_path / "sound.npz", allow_pickle=False) as file:
        arrays = dict(file)
    arrays["attr_data"] = arrays["attr_data"].copy()
    arrays["attr_data"][3] = np.nan
    np.savez(tmp_path / "broken.npz", **arrays)


def test_a_cell_that_fails_is_in_the_table_with_its_cause_and_log(
    tmp_path: Path, sweep: Callable[..., Done]
) -> None:
    broken_and_sound_graphs(tmp_path)
    done = sweep(tmp_path, "method=glnn,mlp", "seeds=[0]", dataset="broken.npz,sound.npz")

    assert done.returncode == 1
    assert "will fail 2 cells: broken.npz" in done.stdout
    assert "2 cells failed:" in done.stdout
    assert "dataset=broken.npz method=glnn: broken.npz" in done.stdout
    assert "Traceback" not in done.stderr
    assert done.stdout.count("failed-") == 2
    assert len(results(tmp_path)) == 2
    (log, _) = sorted((tmp_path / "outputs/sweeps").glob("*/failed-*.json"))
    assert any("DataError" in line for line in json.loads(log.read_text())["traceback"])


def test_on_error_stop_runs_nothing_after_the_first_failure(
    tmp_path: Path, sweep: Callable[..., Done]
) -> None:
    broken_and_sound_graphs(tmp_path)
    done = sweep(
        tmp_path, "method=mlp", "seeds=[0]", "on_error=stop", dataset="broken.npz,sound.npz"
    )

    assert done.returncode == 1
    assert "not run" in done.stdout
    assert "stopped, as on_error=stop" in done.stdout
    assert not list((tmp_path / "outputs").rglob("result.json"))


def test_progress_counts_what_was_done_before_and_has_no_estimate_without_a_new_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [
        Planned("one", "cora", str(tmp_path), "key", (Replica(0),), done=True, again=False),
        Planned("two", "cora", str(tmp_path), "key", (Replica(0),), done=False, again=False),
    ]
    now = progress(begin(tmp_path, cells))

    assert (now.done, now.failed, now.total, now.seconds_left) == (1, 0, 2, None)
    assert str(now) == "1 of 2 cells done"


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.4, "7 s"), (60, "1 min"), (3300, "55 min"), (7500, "2 h 05 min")]
)
def test_durations_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
