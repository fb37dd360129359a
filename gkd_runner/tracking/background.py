"""Keeps a slow, unreachable or failing tracker away from the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

from gkd_runner.tracking.base import RunIdentity, Tracker, cause_of, logger

CLOSE_TIMEOUT_S = 9.0
"""The longest that a job waits for its tracker at the end; W&B's process then needs a second."""


class BackgroundTracker:
    """Passes every call, in order, to another tracker on one daemon thread.

    The first failure is reported once, with its cause, and ends the tracking; nothing is ever
    raised into the training, whose own record is ``metrics.jsonl``.

    Args:
        tracker: the tracker that does the work; only ``hint`` is called outside the thread.
        name: the tracker's name in warnings.
        close_timeout_s: the longest that ``close`` waits, in seconds.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        name: str = "tracker",
        close_timeout_s: float = CLOSE_TIMEOUT_S,
    ) -> None:
        self._tracker = tracker
        self._name = name
        self._close_timeout_s = close_timeout_s
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._off = False
        self._closed = False
        self._failed = False
        self._thread = Thread(target=self._work, name=f"gkd-tracker-{name}", daemon=True)
        self._thread.start()

    def begin(self, run: RunIdentity) -> None:
        self._post(partial(self._tracker.begin, run))

    def log(self, seed: int, metrics: Mapping[str, float]) -> None:
        self._post(partial(self._tracker.log, seed, dict(metrics)))

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        self._post(partial(self._tracker.finish, seed, dict(summary), failed=failed))

    def close(self, *, failed: bool = False) -> None:
        """Wait for the tracker to end its runs, but no longer than the timeout."""
        if self._closed:
            return
        self._closed = True
        self._failed = failed
        self._calls.put(None)
        self._thread.join(self._close_timeout_s)
        if self._thread.is_alive():
            self._off = True
            logger.warning(
                "tracker %s is not done after %g s and is left behind; metrics.jsonl is complete%s",
                self._name,
                self._close_timeout_s,
                self._remedy(),
            )

    def hint(self) -> tuple[tuple[str, str], ...]:
        return () if self._off else self._tracker.hint()

    def remedy(self) -> str:
        return self._tracker.remedy()

    def _remedy(self) -> str:
        return f"; {remedy}" if (remedy := self._tracker.remedy()) else ""

    def _post(self, call: Callable[[], None]) -> None:
        if not (self._off or self._closed):
            self._calls.put(call)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self._off:
                self._attempt(call)
        # Also after a failure, so that no run stays open.
        self._attempt(lambda: self._tracker.close(failed=self._failed))

    def _attempt(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # a backend's SystemExit must not end the thread either
            if not self._off:
                self._off = True
                logger.warning(
                    "tracker %s failed and is off for the rest of this job (%s); "
                    "metrics.jsonl is complete%s",
                    self._name,
                    cause_of(error),
                    self._remedy(),
                )
