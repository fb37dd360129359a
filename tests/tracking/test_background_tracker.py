from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from gkd_runner.tracking import background
from gkd_runner.tracking.background import CLOSE_TIMEOUT_S, STUCK_S, BackgroundTracker
from gkd_runner.tracking.base import NullTracker, RunIdentity


class Recorder(NullTracker):
    """Remembers its calls; may raise in, or block on, one of them."""

    def __init__(self, *, raises_at: int | None = None, blocks: bool = False) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.threads: set[str] = set()
        self.raises_at = raises_at
        self.release = threading.Event()
        if not blocks:
            self.release.set()

    def begin(self, run: RunIdentity) -> None:
        self._record("begin", run.seed)

    def log(self, seed, metrics) -> None:
        self._record("log", seed, metrics["teacher/epoch"])

    def finish(self, seed, summary, *, failed=False) -> None:
        self._record("finish", seed, failed)

    def close(self, *, failed=False) -> None:
        self._record("close", failed)

    def hint(self) -> tuple[tuple[str, str], ...]:
        return (("look", "here"),)

    def remedy(self) -> str:
        return "upload later with: this"

    def _record(self, *call: object) -> None:
        self.threads.add(threading.current_thread().name)
        self.release.wait(20)
        if len(self.calls) == self.raises_at:
            self.raises_at = None
            raise ConnectionError("service said no\nwith details")
        self.calls.append(call)


@pytest.fixture
def blocked() -> Iterator[Recorder]:
    recorder = Recorder(blocks=True)
    yield recorder
    recorder.release.set()


def test_calls_keep_their_order_and_run_on_one_other_thread(identity) -> None:
    recorder = Recorder()
    tracker = BackgroundTracker(recorder)
    for seed in (1, 2):
        tracker.begin(identity(seed))
    logged = [("log", seed, epoch) for epoch in range(100) for seed in (1, 2)]
    for _, seed, epoch in logged:
        tracker.log(seed, {"teacher/epoch": epoch})
    tracker.finish(1, {})
    tracker.close()
    begun = [("begin", 1), ("begin", 2)]
    assert recorder.calls == [*begun, *logged, ("finish", 1, False), ("close", False)]
    assert recorder.threads == {"gkd-tracker-tracker"}
    assert tracker.hint() == (("look", "here"),)


def test_metrics_are_those_of_the_call_even_if_the_dict_is_reused(identity, blocked) -> None:
    tracker = BackgroundTracker(blocked)
    metrics: dict[str, float] = {}
    for epoch in (1, 2):
        metrics["teacher/epoch"] = epoch
        tracker.log(0, metrics)
    blocked.release.set()
    tracker.close()
    assert blocked.calls[:2] == [("log", 0, 1), ("log", 0, 2)]


def test_first_failure_is_reported_once_and_ends_the_tracking(identity, caplog) -> None:
    recorder = Recorder(raises_at=1)
    tracker = BackgroundTracker(recorder, name="wandb")
    tracker.begin(identity(0))
    for epoch in range(5):
        tracker.log(0, {"teacher/epoch": epoch})
    tracker.close(failed=True)
    assert recorder.calls == [("begin", 0), ("close", True)]
    [warning] = caplog.records
    assert (warning.name, warning.levelno) == ("gkd_runner", logging.WARNING)
    assert "wandb failed" in warning.message
    assert "(ConnectionError: service said no)" in warning.message
    assert warning.message.endswith("; upload later with: this")
    assert tracker.hint() == ()


def test_a_failing_close_is_reported_and_not_raised(caplog) -> None:
    tracker = BackgroundTracker(Recorder(raises_at=0))
    tracker.close()
    assert "ConnectionError" in caplog.text


def test_a_blocked_service_slows_neither_calls_nor_close(identity, blocked, caplog) -> None:
    tracker = BackgroundTracker(blocked, stuck_s=0.2)
    tracker.begin(identity(0))
    for epoch in range(10_000):
        tracker.log(0, {"teacher/epoch": epoch})
    tracker.close()
    assert not blocked.release.is_set()  # all calls have returned, though none was served
    assert "not done after 0 s" in caplog.text
    assert "metrics.jsonl is complete; upload later with: this" in caplog.text
    assert tracker.hint() == ()


class Stepping(NullTracker):
    """Serves a call for each step."""

    def __init__(self) -> None:
        self.steps, self.served = threading.Semaphore(0), threading.Semaphore(0)

    def log(self, seed, metrics) -> None:
        self.steps.acquire()
        self.served.release()


@pytest.mark.parametrize("calls", [3, 20])
def test_a_slow_service_is_waited_for_while_its_calls_return_and_for_a_minute_in_all(
    calls: int, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    slow, now, waited = Stepping(), [0.0], []
    monkeypatch.setattr(background, "time", SimpleNamespace(monotonic=lambda: now[0]))
    tracker = BackgroundTracker(slow)
    join = tracker._thread.join

    def step(seconds: float) -> None:
        waited.append(seconds)
        now[0] += STUCK_S - 1
        slow.steps.release()
        slow.served.acquire()
        if len(waited) == calls:
            join()

    for epoch in range(calls):
        tracker.log(0, {"teacher/epoch": epoch})
    monkeypatch.setattr(tracker._thread, "join", step)
    tracker.close()
    slow.steps.release(calls)
    join()
    assert max(waited) <= STUCK_S
    assert now[0] <= CLOSE_TIMEOUT_S + STUCK_S
    assert ("is left behind" in caplog.text) is (calls == 20)


@pytest.mark.parametrize("failed", [False, True])
def test_close_passes_the_outcome_on_and_happens_once(failed: bool) -> None:
    recorder = Recorder()
    tracker = BackgroundTracker(recorder)
    tracker.close(failed=failed)
    tracker.close(failed=not failed)
    tracker.log(0, {"teacher/epoch": 1})
    assert recorder.calls == [("close", failed)]


def test_ctrl_c_while_closing_ends_the_waiting(blocked, monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores SIGINT
    tracker = BackgroundTracker(blocked)
    monkeypatch.setattr(tracker._thread, "join", lambda _: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        tracker.close()
    tracker.close()  # by a finally block, which waits no more
