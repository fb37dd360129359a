"""Measures the parts of a workload one after the other; their lines go to ``Results``."""

from __future__ import annotations

import gc
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from bench import epochs, memory, parts
from bench.clock import Block, Effort, Sample, alternate, repeated
from bench.floor import Floor, student_floor, teacher_floor
from bench.plain.train import plain_block, plain_student_training, plain_teacher_training
from bench.results import OURS, REFERENCE, Key, Line, Results
from bench.workloads import Workload
from gkd_runner.common.errors import GkdError
from gkd_runner.training.stage import Trained

FLOOR = "floor"
NEEDED = "floor of needed rows"
PROPAGATION = "propagation"

TEACHER_EPOCHS = 10
"""Epochs of the teacher whose soft labels students learn from: their cost is the same."""

PARTS = ("teacher", "student", "influence", "hardness", "first-layer", "cache", "memory")


@dataclass(frozen=True)
class Wanted:
    """A measurement to make on each workload.

    ``reference`` and ``floors`` say whether these are measured beside this package.
    """

    parts: tuple[str, ...]
    teachers: tuple[str, ...]
    methods: tuple[str, ...]
    effort: Effort
    device: torch.device
    scale: float
    options: tuple[str, ...] = ()
    reference: bool = True
    floors: bool = True


class Measuring:
    """One run of the benchmark on one workload."""

    def __init__(
        self, workload: Workload, name: str, wanted: Wanted, results: Results, console: Console
    ) -> None:
        self._workload, self._name, self._wanted = workload, name, wanted
        self._results, self._console = results, console
        self._sizes = results.workloads.setdefault(workload.name, workload.sizes())

    def everything(self) -> None:
        """Measure all wanted parts."""
        wanted = self._wanted
        if "teacher" in wanted.parts:
            for teacher in wanted.teachers:
                with self._part(f"teacher {teacher}"):
                    self._teacher(teacher)
        simple: dict[str, Callable[[], Mapping[str, Block]]] = {
            "influence": lambda: parts.influence(self._workload, wanted.device),
            "first-layer": lambda: parts.first_layers(self._workload, wanted.device),
        }
        for name, blocks in simple.items():
            if name in wanted.parts:
                with self._part(name):
                    self._measure(name, blocks(), "call", parts.ONCE)
        if {"student", "hardness", "cache", "memory"} & set(wanted.parts):
            with self._part("soft labels of the students"):
                self._taught()

    def _teacher(self, name: str) -> None:
        workload, wanted = self._workload, self._wanted
        config, part = workload.config(name), f"teacher {name}"
        blocks = {OURS: epochs.teacher_block([workload.task], config, wanted.effort, wanted.device)}
        if wanted.reference:
            training = plain_teacher_training(workload.task, config, wanted.device)
            blocks[REFERENCE] = plain_block(training, wanted.effort, wanted.device)
        floors = {}
        if wanted.floors:
            for label, needed in ((FLOOR, False), (NEEDED, True)):
                floors[label] = teacher_floor(workload, config, wanted.device, needed=needed)
        self._with_floors(part, blocks, floors)

    def _taught(self) -> None:
        """Everything that needs soft labels: those of a GCN after a few epochs."""
        workload, wanted = self._workload, self._wanted
        config = workload.config()
        (teacher,) = epochs.taught([workload.task], config, TEACHER_EPOCHS, wanted.device)
        with tempfile.TemporaryDirectory() as folder:
            cache = parts.cache(teacher, Path(folder), wanted.device)
            if "cache" in wanted.parts:
                self._measure("cache", cache, "call", parts.ONCE)
            if "hardness" in wanted.parts:
                blocks = parts.knowledge_hardness(workload, teacher, wanted.device)
                self._measure("hardness", blocks, "call", parts.ONCE)
            if "student" in wanted.parts:
                for method in wanted.methods:
                    with self._part(f"student {method}"):
                        self._student(method, teacher)
            if "memory" in wanted.parts:
                self._memory(folder)

    def _student(self, method: str, teacher: Trained) -> None:
        workload, wanted = self._workload, self._wanted
        config, part = workload.config("gcn", method), f"student {method}"
        blocks = {
            OURS: epochs.student_block(
                [workload.task], [teacher], config, wanted.effort, wanted.device
            )
        }
        if wanted.reference:
            logits = torch.from_numpy(teacher.observed_logits)
            training = plain_student_training(workload.task, config, logits, wanted.device)
            blocks[REFERENCE] = plain_block(training, wanted.effort, wanted.device)
        floors = {}
        if wanted.floors:
            floors[FLOOR] = student_floor(workload, config, wanted.device)
        self._with_floors(part, blocks, floors)

    def _with_floors(
        self, part: str, blocks: dict[str, Block], floors: Mapping[str, Floor]
    ) -> None:
        """Take turns with the floors' pieces, and add these up."""
        device = self._wanted.device
        effort = replace(self._wanted.effort, warm=0)
        pieces = {}
        for label, floor in floors.items():
            self._sizes.setdefault("floors", {})[f"{part}, {label}"] = floor.sizes
            for name, run in floor.products().items():
                pieces[f"{label}: {name}"] = repeated(run, effort, device)
            if floor.propagation:
                pieces[f"{label}: {PROPAGATION}"] = repeated(floor.propagated(), effort, device)
        rounds = self._measure(part, {**blocks, **pieces}, "epoch", self._wanted.effort)
        for label, floor in floors.items():
            products = [rounds[f"{label}: {name}"] for name in floor.products()]
            total = [added(turn) for turn in zip(*products, strict=True)]
            self._results.lines.append(
                Line.of(Key(self._workload.name, part, label), "epoch", total)
            )

    def _measure(
        self, part: str, blocks: Mapping[str, Block], per: str, effort: Effort
    ) -> dict[str, list[list[Sample]]]:
        rounds = alternate(blocks, effort.rounds)
        for contender, samples in rounds.items():
            key = Key(self._workload.name, part, contender)
            self._results.lines.append(Line.of(key, per, samples))
        return rounds

    def _memory(self, cache: str) -> None:
        wanted = self._wanted
        stages = [("teacher", teacher, "infgrand") for teacher in wanted.teachers]
        stages += [("student", "gcn", method) for method in wanted.methods]
        stages += [("influence", "gcn", "infgrand")]
        for stage, teacher, method in stages:
            name = {"teacher": f"teacher {teacher}", "student": f"student {method}"}
            plain = wanted.reference and stage != "influence"
            for is_plain in (False, True)[: 1 + plain]:
                if stage in wanted.parts:
                    part = f"memory of {name.get(stage, stage)}"
                    self._peak(part, (stage, teacher, method), cache, plain=is_plain)

    def _peak(self, part: str, what: tuple[str, str, str], cache: str, *, plain: bool) -> None:
        wanted, key = self._wanted, Key(self._workload.name, part, REFERENCE if plain else OURS)
        device, options = str(wanted.device), wanted.options
        with self._part(f"{part}{', plain' if plain else ''}"):
            request = memory.Request(self._name, wanted.scale, *what, plain, cache, device, options)
            found = memory.measure(request)
            self._results.lines.append(
                Line(key, "process", peak_bytes=found.peak_bytes, start_bytes=found.start_bytes)
            )

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Show what is being measured; what this version of the package lacks is noted."""
        with recorded(self._workload.name, name, self._results, self._console):
            yield


LACKING = (
    ImportError,
    AttributeError,
    TypeError,
    MemoryError,
    GkdError,
    subprocess.CalledProcessError,
)
"""Errors of a part that this version of the package, or this machine, cannot run: the others go on,
and the table names the part with the reason.
"""


@contextmanager
def recorded(workload: str, name: str, results: Results, console: Console) -> Iterator[None]:
    """Show what is being measured; a part that cannot run is listed with the reason."""
    gc.collect()
    with console.status(f"{workload}: {name}"):
        try:
            yield
        except LACKING as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, subprocess.CalledProcessError):
                told = (error.stderr or error.stdout or "").strip().splitlines()
                reason = told[-1] if told else reason
            results.skipped.append((workload, name, reason))
            console.print(f"[red]{workload}: {name} could not be measured: {reason}[/]")


def added(pieces: Sequence[Sequence[Sample]]) -> list[Sample]:
    """The sums of the pieces' samples, first with first."""
    return [
        Sample(sum(s.cpu for s in each), sum(s.wall for s in each))
        for each in zip(*pieces, strict=False)
    ]
