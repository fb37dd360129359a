"""Under torchrun several processes train one student, and give what one process gives."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import SMALL

from gkd_runner.common.processes import ENDED
from gkd_runner.config.build import compose
from gkd_runner.runs.train import train

pytestmark = pytest.mark.slow

PATIENCE_S = 240
"""Longest wait for a command; a test that would wait longer fails."""

OPTIONS = (
    *SMALL,
    "dataset.nodes=301",
    "dataset.features=64",
    "student.hidden_dim=17",
    "seeds=[0,1]",
    "replicas=2",
    "training.max_epochs=8",
)

OPTIONS_OF_STUDENTS = tuple(text for text in OPTIONS if not text.startswith("teacher."))

CASES = {
    "glnn": ("training.batch_size=100",),  # the last batch has one of 301 nodes
    "hgmd-weight": ("training.batch_size=77", "setting=inductive", "replicas=1"),
    "infgrand": ("training.batch_size=75", "cache=off"),
    "krd": ("training.batch_size=100", "method.first_draw=2"),  # asks the teacher
    "mlp": ("training.batch_size=13",),  # 40 labelled nodes
}
"""Methods and their further options."""


def torchrun(*arguments: object, processes: int = 2) -> list[str]:
    """The command as users start it, on a free port."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    module = [f"--nproc-per-node={processes}", "-m", "gkd_runner.cli.train"]
    return [*launcher, *module, *map(str, arguments)]


def called(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        torchrun(*arguments), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def messages(output: str) -> list[str]:
    """The lines that the processes themselves tell."""
    return [line for line in output.splitlines() if line.startswith("gkd-train: ")]


def run_in(folder: Path) -> Path:
    (found,) = folder.glob("runs/*/*/*/*/*/metrics.jsonl")
    return found.parent


def epochs_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("method", CASES)
def test_two_processes_give_what_one_gives(method: str, tmp_path: Path) -> None:
    options = (*OPTIONS, f"method={method}", *CASES[method])
    one = train(compose([*options, f"output_dir={tmp_path / 'one'}"]))
    done = called(*options, f"output_dir={tmp_path / 'two'}")
    assert done.returncode == 0, done.stderr
    run = run_in(tmp_path / "two")
    ours, theirs = epochs_of(run), epochs_of(one.path)
    assert len(ours) == len(theirs) > 20
    for our, their in zip(ours, theirs, strict=True):
        assert our.pop("stage") == their.pop("stage")
        assert our == pytest.approx(their, abs=2e-5, rel=2e-5)  # accuracies differ by no node
    result = json.loads((run / "result.json").read_text())
    assert result["processes"] == 2
    for seed, expected in zip(result["seeds"], one.seeds, strict=True):
        assert seed["student"]["best_epoch"] == expected.student.best_epoch
        name = f"student-{seed['seed']}.safetensors"
        torch.testing.assert_close(
            load_file(run / name), load_file(one.path / name), atol=2e-5, rtol=1e-4
        )
    told = f"run      {run}"
    assert done.stdout.count(told) == 1, "one process prints"


def test_what_is_finished_is_finished_for_all_processes(tmp_path: Path) -> None:
    options = (*OPTIONS, "method=glnn", "training.batch_size=100", f"output_dir={tmp_path}")
    train(compose(options))
    for finished in (2, 3):
        done = called(*options, "seeds=[0,1,2]")
        assert done.returncode == 0, done.stderr
        assert f"finished before: {finished} of 3 students" in done.stdout
    assert len(list(tmp_path.glob("runs/*/*/*/*/*/result.json"))) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "training.batch_size=null under torchrun: a full batch cannot be divided among 2"),
        (("-m", "setting=transductive,inductive"), "-m under torchrun: torchrun divides"),
        (("training.batch_size=0",), "training.batch_size=0"),
        (("training.batch_size=50", "student.learning_rate=1e38"), "lower student.learning_rate"),
    ],
)
def test_what_cannot_work_is_refused_in_one_message(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = called(*OPTIONS, "method=glnn", *options, f"output_dir={tmp_path}")
    assert done.returncode != 0
    assert len(messages(done.stderr)) == 1, done.stderr
    assert message in done.stderr
    assert list(tmp_path.glob("runs/*/*/*/*/*/result.json")) == []


@contextmanager
def endless_job(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A job whose students, taught by a file of logits, train for longer than any test waits."""
    np.savez(folder / "logits.npz", logits=3 * np.eye(5, dtype=np.float32)[np.arange(301) % 5])
    endless = ("training.max_epochs=1000000", "training.patience=1000000")
    options = (f"teacher={folder / 'logits.npz'}", "training.batch_size=50", "method=glnn")
    command = torchrun(*OPTIONS_OF_STUDENTS, *options, *endless, f"output_dir={folder}")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def until_epochs(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait for the first epochs on disk."""
    end = time.monotonic() + PATIENCE_S
    while not any(path.stat().st_size for path in folder.glob("runs/*/*/*/*/*/metrics.jsonl")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.1)


def worker(parent: int, rank: int) -> int:
    """The process with this rank that ``parent`` has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    variable = f"RANK={rank}".encode()
    (found,) = (
        int(child)
        for child in children
        if variable in Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    )
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_job(rank: int, tmp_path: Path) -> None:
    with endless_job(tmp_path) as process:
        until_epochs(tmp_path, process)
        os.kill(worker(process.pid, rank), signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert re.search(rf"rank      : {rank} .*\n.* -9 .*\(SIGKILL\)", errors), errors
    told = ["another process of" in line for line in messages(errors)]
    assert told == ([True] if rank == 1 else []), errors  # the first tells it, and closes the run
    assert "Traceback" not in errors.partition("torch/distributed/elastic")[0]
    assert not list(tmp_path.rglob("result.json"))


FAILING = """
import os
from gkd_runner.cli.train import main
from gkd_runner.common import processes
from gkd_runner.common.errors import DataError
from gkd_runner.runs import train

def fail(*_):
    raise {failure}

processes.FIRST_TELLS_S = 1.0
if os.environ["RANK"] == "1":
    train.load_dataset = fail
main()
"""


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("MemoryError('out of memory')", "gkd-train: out of memory; use replicas=1"),
        ("DataError('no graph here')", "gkd-train: no graph here"),
        ("ValueError('a bug')", "ValueError: a bug"),
    ],
)
def test_a_failure_of_one_process_is_told_and_ends_the_job(
    failure: str, told: str, tmp_path: Path
) -> None:
    script = tmp_path / "failing.py"
    script.write_text(FAILING.format(failure=failure))
    command = torchrun(*OPTIONS, "method=glnn", "training.batch_size=50", f"output_dir={tmp_path}")
    start = command.index("gkd_runner.cli.train")
    command[start - 1 : start + 1] = [str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode != 0
    lines = [line.removeprefix("[rank1]: ") for line in done.stderr.splitlines()]
    assert sum(line.startswith(told) for line in lines) == 1, done.stderr
    assert all("another process of" in line or told in line for line in messages(done.stderr))


@pytest.mark.parametrize(
    ("number", "cause"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, ENDED)]
)
def test_signals_end_all_processes_with_one_message(
    number: signal.Signals, cause: str, tmp_path: Path
) -> None:
    with endless_job(tmp_path) as process:
        until_epochs(tmp_path, process)
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    told = [f"gkd-train: {cause}; the same command goes on from what is finished"]
    assert messages(errors) == told, errors
