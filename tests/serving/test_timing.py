from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
import torch
from support import CPU

from gkd_runner.serving import timing
from gkd_runner.serving.timing import clock, measure, measure_in_turns, peak_bytes


def test_the_peak_is_what_is_held_at_once_and_not_the_sum() -> None:
    held_before = torch.ones(5000)

    def call() -> torch.Tensor:
        first = torch.empty(1000)
        second = torch.empty(2000)  # 3000 floats
        del first
        third = torch.empty(3000)  # 5000 floats: the peak
        del second, third
        return held_before[:10].clone()

    with torch.inference_mode():
        assert peak_bytes(call, CPU) == 4 * 5000


def test_a_call_that_allocates_nothing_needs_no_memory() -> None:
    assert peak_bytes(lambda: None, CPU) == 0


def test_median_and_quartiles_are_over_draws_after_the_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = itertools.accumulate(itertools.chain([0.0], itertools.cycle([1.0, 0.5, 3.0, 0.5])))
    monkeypatch.setattr(timing, "clock", lambda device: lambda: next(now))
    monkeypatch.setattr(timing, "SECONDS", 7.0)
    draws = itertools.count()
    seen: list[int] = []

    found = measure(seen.append, lambda: next(draws), CPU)

    # the clock is read before and after each call: calls take 1, 3, 1, 3 ... seconds
    assert seen == list(range(timing.WARM_UP + found.repeats))
    assert found.repeats == timing.FEWEST
    assert (found.low, found.median, found.high) == (1.0, 1.0, 3.0)


@pytest.mark.parametrize("slow", [{1, 3}, {2, 3, 4}, {0, 1, 2, 3}])
def test_calls_side_by_side_take_turns_and_a_busy_machine_keeps_their_ratio(
    monkeypatch: pytest.MonkeyPatch, slow: set[int]
) -> None:
    """One call takes 4 s, the other 1 s, and both twice as long in the turns that are slow."""
    monkeypatch.setattr(timing, "TURNS", 5)
    now, order = 0.0, list[str]()

    def lasting(name: str, seconds: float) -> tuple[Callable[[int], None], Callable[[], int]]:
        def call(_: int) -> None:
            nonlocal now
            order.append(name)
            changes = sum(one != next_ for one, next_ in itertools.pairwise(order))
            turn = changes // 2 - 1  # -1 is the warm-up
            now += 2 * seconds if turn in slow else seconds

        return call, lambda: 0

    monkeypatch.setattr(timing, "clock", lambda device: lambda: now)
    long, short = measure_in_turns([lasting("long", 4.0), lasting("short", 1.0)], CPU, 200.0)

    turns = [len(list(names)) for _, names in itertools.groupby(order)]
    assert len(turns) == 2 * (1 + timing.TURNS), "the first are the warm-up"
    assert long.median == 4 * short.median
    assert (long.repeats, short.repeats) == (sum(turns[2::2]), sum(turns[3::2]))


def test_with_one_thread_the_clock_stands_still_while_the_process_waits() -> None:
    assert torch.get_num_threads() == 1
    now = clock(CPU)
    started = now()
    time.sleep(0.2)
    assert now() - started < 0.1
    assert clock(torch.device("cuda")) is time.perf_counter
