"""Time and peak memory of a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch._C._profiler import _EventType
from torch.autograd.profiler import profile

SECONDS = 2.0
"""Time for which a call is repeated, without the time for preparing it."""

FEWEST = 5
"""Fewest repeats of a call, however long they take."""

WARM_UP = 5
"""Calls before the first that counts."""

TURNS = 10
"""Turns of each of several calls that are timed side by side."""

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Median, quartiles and 99th percentile over repeats, in seconds."""

    median: float
    low: float
    high: float
    p99: float
    repeats: int


def clock(device: torch.device) -> Callable[[], float]:
    """The function that reads the seconds.

    With one thread on the CPU it is the process's CPU time. It equals the wall clock on an idle
    machine and stands still while another job has the core; by the wall clock, long calls would
    seem slower on a busy machine and short ones would not. Otherwise it is the wall clock.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def measure(
    call: Callable[[T], object],
    draw: Callable[[], T],
    device: torch.device,
    at_least: float | None = None,
) -> Timing:
    """Time ``call(draw())`` repeatedly, each time on another draw; drawing is not timed.

    The calls together take at least ``at_least`` seconds (default: ``SECONDS``).
    """
    _warm_up(call, draw)
    enough = SECONDS if at_least is None else at_least
    return _timing(_repeated(call, draw, device, enough, FEWEST))


def measure_in_turns(
    calls: Sequence[tuple[Callable[[T], object], Callable[[], T]]],
    device: torch.device,
    at_least: float,
) -> list[Timing]:
    """Time several calls as ``measure`` does, side by side.

    They take ``TURNS`` turns (A B A B ...) of together ``at_least`` seconds each, so that another
    job on the machine slows all of them alike and leaves the ratios of their times.
    """
    for call, draw in calls:
        _warm_up(call, draw)
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(TURNS):
        for (call, draw), own in zip(calls, seconds, strict=True):
            own += _repeated(call, draw, device, at_least / TURNS, 1)
    return list(map(_timing, seconds))


def _warm_up(call: Callable[[T], object], draw: Callable[[], T]) -> None:
    for _ in range(WARM_UP):
        call(draw())


def _repeated(
    call: Callable[[T], object],
    draw: Callable[[], T],
    device: torch.device,
    at_least: float,
    fewest: int,
) -> list[float]:
    """The seconds of each of ``fewest`` calls or more, which together take ``at_least``."""
    seconds: list[float] = []
    left, now = at_least, clock(device)
    while len(seconds) < fewest or left > 0:
        drawn = draw()
        _wait(device)
        started = now()
        call(drawn)
        _wait(device)
        seconds.append(now() - started)
        left -= seconds[-1]
    return seconds


def _timing(seconds: Sequence[float]) -> Timing:
    low, median, high, p99 = map(float, np.percentile(seconds, [25, 50, 75, 99]))
    return Timing(median, low, high, p99, len(seconds))


def _wait(device: torch.device) -> None:
    """Let the GPU finish: its kernels run on while Python goes ahead."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(call: Callable[[], object], device: torch.device) -> int:
    """The most bytes that torch's allocator holds during ``call``, beyond those it held before.

    On the CPU it is the running sum of the allocations and releases that torch's profiler records,
    on a GPU the allocator's own count. The call's result is included. Weights, graph and features
    existed before and are not, nor are the buffers of libraries such as MKL.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        _wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(profile_memory=True) as recorded:
        call()
    assert recorded.kineto_results is not None
    events = _allocations(recorded.kineto_results.experimental_event_tree())
    sizes = [size for _, size in sorted(events, key=lambda event: event[0])]
    return int(np.cumsum(sizes).max(initial=0))


def _allocations(events: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Time and bytes (released: negative) of every allocation in a tree of events."""
    for event in events:
        if event.tag == _EventType.Allocation:
            yield event.start_time_ns, event.extra_fields.alloc_size
        yield from _allocations(event.children)
