"""Peak memory and time of one stage in a process of its own, which trains a few epochs.

``python -m bench.memory '{"workload": ..., ...}'`` prints both as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.threads import set_threads

if TYPE_CHECKING:
    from torch import device as Device

    from gkd_runner.data.task import Task
    from gkd_runner.options.schema import Config
    from gkd_runner.training.stage import Trained

EPOCHS = 3
SCRIPTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Request:
    """The training whose memory is measured.

    Attributes:
        workload: its name, as on the command line.
        scale: as for ``load_workload``.
        stage: teacher, student or influence.
        teacher: architecture.
        method: of the student.
        plain: the plain reference instead of this package.
        cache: folder with the teacher of a student, and with made-up graphs.
        device: where it trains.
        options: further options of the configuration.
        epochs: how many it trains.
        keeps: whether a teacher is written to ``cache``.
    """

    workload: str
    scale: float
    stage: str
    teacher: str
    method: str
    plain: bool
    cache: str
    device: str
    options: tuple[str, ...] = ()
    epochs: int = EPOCHS
    keeps: bool = False


@dataclass(frozen=True)
class Spent:
    """Resident bytes (the peak, and once libraries and graph were there), and the seconds since."""

    peak_bytes: int
    start_bytes: int
    cpu_seconds: float
    wall_seconds: float


def measure(request: Request) -> Spent:
    """Start the process. Raises ``CalledProcessError`` with its output if it fails."""
    return Spent(**in_process("bench.memory", asdict(request)))


def in_process(module: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON that ``python -m module`` prints last, given ``request`` as JSON."""
    paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(request)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _spent(request: Request) -> Spent:
    """Do what is asked for in this process."""
    import torch

    from bench import epochs, parts
    from bench.clock import now, since
    from bench.machine import forget_peak, resident_bytes
    from bench.workloads import load_workload

    device = torch.device(request.device)
    workload = load_workload(request.workload, request.scale, request.options, request.cache)
    config = epochs.short(workload.config(request.teacher, request.method), request.epochs)
    teacher = parts.stored(Path(request.cache)) if request.stage == "student" else None
    task = workload.task
    forget_peak()  # of making or reading the graph
    start, begun = resident_bytes("VmRSS"), now(device)
    made: list[Trained] = []
    if request.stage == "influence":
        parts.influence_run(workload)()
    elif request.plain:
        _train_plain(task, config, teacher, device)
    elif teacher is None:
        made = epochs.taught([task], config, request.epochs, device)
    else:
        epochs.distilled([task], [teacher], config, device)
    took, peak = since(begun, now(device)), resident_bytes("VmHWM")
    if request.keeps:
        parts.store(made[0], Path(request.cache))
    return Spent(peak, start, took.cpu, took.wall)


def _train_plain(task: Task, config: Config, teacher: Trained | None, device: Device) -> None:
    import torch

    from bench.plain.train import plain_student_training, plain_teacher_training

    if teacher is None:
        training = plain_teacher_training(task, config, device)
    else:
        logits = torch.from_numpy(teacher.observed_logits)
        training = plain_student_training(task, config, logits, device)
    for _ in zip(range(config.training.max_epochs), training.epochs(), strict=False):
        pass


if __name__ == "__main__":
    set_threads(["--threads", os.environ.get("OMP_NUM_THREADS", "2")])
    print(json.dumps(asdict(_spent(Request(**json.loads(sys.argv[1]))))))
