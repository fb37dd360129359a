"""How long a call takes, and how much memory torch holds meanwhile."""

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
"""A call is repeated for this long, not counting what prepares it,"""

FEWEST = 5
"""and at least this often, however long it takes."""

WARM_UP = 5
"""Calls before the first that counts."""

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Median and quartiles over repeats, in seconds."""

    median: float
    low: float
    high: float
    repeats: int


def clock(device: torch.device) -> Callable[[], float]:
    """What seconds are read from.

    With one thread on the CPU the process's CPU time, which is that of a wall clock on an idle
    machine, but stands still while another job has the core: on a busy machine long calls would
    otherwise seem slower than they are and short ones would not. Else the wall clock.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def measure(
    call: Callable[[T], object],
    draw: Callable[[], T],
    device: torch.device,
    at_least: float | None = None,
) -> Timing:
    """Time ``call(draw())`` over and over, each time on another draw; drawing is not timed.

    It is repeated for ``at_least`` so many seconds, ``SECONDS`` when ``None``.
    """
    for _ in range(WARM_UP):
        call(draw())
    seconds: list[float] = []
    left, now = SECONDS if at_least is None else at_least, clock(device)
    while len(seconds) < FEWEST or left > 0:
        drawn = draw()
        _wait(device)
        started = now()
        call(drawn)
        _wait(device)
        seconds.append(now() - started)
        left -= seconds[-1]
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return Timing(float(median), float(low), float(high), len(seconds))


def _wait(device: torch.device) -> None:
    """Let the GPU finish: its kernels run on while Python goes ahead."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(call: Callable[[], object], device: torch.device) -> int:
    """The most that torch's allocator holds at once during ``call``, beyond what it held before.

    On the CPU the running sum of the allocations and releases that torch's profiler records, on a
    GPU the allocator's own count. The call's result is part of it; weights, graph and features,
    which are there before, are not, nor are buffers that libraries such as MKL keep for themselves.
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
