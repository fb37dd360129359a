"""CPU and wall seconds of repeated work, one contender after the other in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch


class Sample(NamedTuple):
    """Seconds of one repetition: of all threads of the process, and on the wall."""

    cpu: float
    wall: float


Block = Callable[[], list[Sample]]
"""Repeats a contender's work some times."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of ``count`` samples."""

    median: float
    low: float
    high: float
    count: int

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        if len(values) == 1:
            return Spread(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(median, low, high, len(values))


def now(device: torch.device) -> Sample:
    """Both clocks, once the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return Sample(time.process_time(), time.perf_counter())


def since(start: Sample, end: Sample) -> Sample:
    """The seconds between two readings."""
    return Sample(end.cpu - start.cpu, end.wall - start.wall)


class Enough(Exception):  # noqa: N818
    """Ends a training from its callback, as enough epochs were measured."""


@dataclass(frozen=True)
class Effort:
    """How often and how long to measure.

    Attributes:
        rounds: turns of each contender.
        epochs: measured epochs per turn, fewer if they take longer than ``seconds``.
        seconds: wall seconds of a turn after which no further epoch is measured.
        warm: epochs at the start of a training that do not count.
    """

    rounds: int = 3
    epochs: int = 20
    seconds: float = 20.0
    warm: int = 2


class EpochClock:
    """Measures epochs as the callback of a training; raises ``Enough`` when there are enough."""

    def __init__(self, effort: Effort, device: torch.device) -> None:
        self.samples: list[Sample] = []
        self._effort, self._device = effort, device
        self._last = self._start = now(device)

    def __call__(self, seeds: Sequence[int], epoch: int, records: Sequence[object]) -> None:
        """Take note that ``epoch`` (from 1) has ended."""
        reading = now(self._device)
        if epoch > self._effort.warm:
            self.samples.append(since(self._last, reading))
        late = since(self._start, reading).wall > self._effort.seconds
        if len(self.samples) >= self._effort.epochs or (self.samples and late):
            raise Enough
        self._last = now(self._device)


def repeated(
    run: Callable[[], object], effort: Effort, device: torch.device, *, warm: bool = True
) -> Block:
    """A block that calls ``run``; if ``warm``, after a first call that does not count."""
    if warm:
        run()

    def block() -> list[Sample]:
        clock = EpochClock(Effort(1, effort.epochs, effort.seconds, warm=0), device)
        try:
            for epoch in range(1, effort.epochs + 1):
                run()
                clock((), epoch, ())
        except Enough:
            pass
        return clock.samples

    return block


def alternate(blocks: Mapping[str, Block], rounds: int) -> dict[str, list[list[Sample]]]:
    """Per contender, the samples of each of its turns: A B A B ..."""
    samples: dict[str, list[list[Sample]]] = {name: [] for name in blocks}
    for _ in range(rounds):
        for name, block in blocks.items():
            samples[name].append(block())
    return samples
