"""Two results beside each other, line by line."""

from __future__ import annotations

from dataclasses import dataclass

from bench.clock import Spread
from bench.results import Key, Line, Results


@dataclass(frozen=True)
class Ratio:
    """How many times as much the older cost; bounds come from the quartiles of both."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Compared:
    """The ratios of one line that both results have."""

    key: Key
    cpu: Ratio | None
    wall: Ratio | None
    memory: float | None


@dataclass(frozen=True)
class Comparison:
    """All common lines, and those that only one side has."""

    lines: tuple[Compared, ...]
    only_old: tuple[Key, ...]
    only_new: tuple[Key, ...]


def compare(old: Results, new: Results) -> Comparison:
    """Old over new: 2 means that the new one costs half."""
    before = {line.key: line for line in old.lines}
    after = {line.key: line for line in new.lines}
    return Comparison(
        tuple(_compared(before[key], line) for key, line in after.items() if key in before),
        tuple(key for key in before if key not in after),
        tuple(key for key in after if key not in before),
    )


def _compared(old: Line, new: Line) -> Compared:
    peaks = old.peak_bytes, new.peak_bytes
    memory = peaks[0] / peaks[1] if peaks[0] and peaks[1] else None
    return Compared(new.key, ratio(old.cpu, new.cpu), ratio(old.wall, new.wall), memory)


def ratio(old: Spread | None, new: Spread | None) -> Ratio | None:
    """``old / new``; ``None`` where one is missing or took no measurable time."""
    if old is None or new is None or new.low <= 0:
        return None
    return Ratio(old.median / new.median, old.low / new.high, old.high / new.low)


def round_ratio(other: Line, ours: Line) -> Ratio | None:
    """CPU seconds of ``other`` over ``ours``, which took turns; bounds are the extreme turns."""
    if other.cpu is None or ours.cpu is None or min(ours.cpu_rounds, default=0.0) <= 0:
        return None
    each = [a / b for a, b in zip(other.cpu_rounds, ours.cpu_rounds, strict=True)]
    return Ratio(other.cpu.median / ours.cpu.median, min(each), max(each))
