"""Jobs that are killed, and jobs that race for one cell: what is left is as if nothing happened.

Every job is a process of its own, forked from one that has imported torch already.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from gkd_runner.cli.train import main
from gkd_runner.common.errors import GkdError
from gkd_runner.runs.reload import reload_run
from gkd_runner.serving import latency

SEEDS = (3, 4)
PATIENCE_S = 300
"""Longest wait for a job; one that takes longer hangs."""

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["attack.jobs", "gkd_runner.runs.train", "gkd_runner.config.typed"])


def job(folder: Path, words: list[str]) -> None:
    """The command gkd-train in ``folder``; its output goes to ``log`` there."""
    with (folder / "log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(folder)
    latency.SECONDS = 0.0  # few repeats
    sys.argv = ["gkd-train", *words]
    main()


def started(folder: Path, words: list[str]) -> BaseProcess:
    """Start a job."""
    process = CONTEXT.Process(target=job, args=(folder, words))
    process.start()
    return process


def ended(process: BaseProcess) -> int:
    """Wait for a job, and return its exit code; a job that hangs is killed, and has -9."""
    process.join(PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


def files_in(folder: Path) -> set[Path]:
    """All files below ``folder``, while others may remove some."""
    return {Path(place) / name for place, _, names in os.walk(folder) for name in names}


def end_state(folder: Path) -> dict[str, object]:
    """All numbers of the finished runs: scores, teachers and students, and what half files remain.

    Raises ``GkdError`` for files that are damaged.
    """
    state: dict[str, object] = {}
    for path in sorted(folder.glob("outputs/runs/**/result.json")):
        for entry in json.loads(path.read_text(encoding="utf-8"))["seeds"]:
            found = reload_run(path.parent, entry["seed"])
            state[f"seed {entry['seed']}"] = (
                entry["teacher"]["scores"],
                entry["student"]["scores"],
                entry["teacher_key"],
                found.student.all.tobytes(),
            )
    state["half files"] = sorted(path.name for path in files_in(folder) if path.suffix == ".part")
    return state


def interrupt(process: BaseProcess, folder: Path, number: int, rng: np.random.Generator,
              usual: tuple[float, int]) -> None:  # fmt: skip
    """Send a signal at a random moment, or as soon as a random number of files has appeared.

    Args:
        process: the job.
        folder: where it writes.
        number: the signal.
        rng: draws the moment.
        usual: the seconds and the files of an undisturbed job.
    """
    seconds, files = usual
    end = time.monotonic() + rng.uniform(0, seconds)
    at_file = int(rng.integers(1, files + 1)) if rng.random() < 0.5 else None
    while process.is_alive() and (at_file or time.monotonic() < end):
        if at_file and len(files_in(folder / "outputs")) >= at_file:
            break
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        os.kill(process.pid or 0, number)


def undisturbed(folder: Path, words: list[str]) -> tuple[dict[str, object], tuple[float, int]]:
    """The end state of a job that nobody disturbs, its seconds, and the files that it writes."""
    folder.mkdir(parents=True)
    before = time.monotonic()
    code = ended(started(folder, words))
    if code:
        raise GkdError(f"the undisturbed job ended with {code}: {folder / 'log'}")
    return end_state(folder), (time.monotonic() - before, len(files_in(folder / "outputs")))


def killed(folder: Path, words: list[str], number: int, rng: np.random.Generator,
           usual: tuple[float, int]) -> dict[str, object]:  # fmt: skip
    """The end state after a job got a signal and the same command ran again."""
    folder.mkdir(parents=True)
    process = started(folder, words)
    interrupt(process, folder, number, rng, usual)
    ended(process)
    return _finished(folder, [started(folder, words)])


def raced(folder: Path, words: list[str], jobs: int) -> dict[str, object]:
    """The end state after several jobs of one cell ran at once."""
    folder.mkdir(parents=True)
    return _finished(folder, [started(folder, words) for _ in range(jobs)])


def _finished(folder: Path, processes: list[BaseProcess]) -> dict[str, object]:
    codes = [ended(process) for process in processes]
    log = (folder / "log").read_text(encoding="utf-8")
    if any(codes) or "Traceback" in log:
        return {"exit codes": codes, "log": log[-2000:]}
    try:
        return end_state(folder)
    except GkdError as error:
        return {"damaged": str(error)}


SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}
