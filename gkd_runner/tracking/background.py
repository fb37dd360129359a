"""Keeps a slow, unreachable or failing tracker away from the training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

from gkd_runner.tracking.base import RunIdentity, Tracker, cause_of, logger

STUCK_S = 9.0
"""The longest that a job waits at its end for a call that does not return."""

CLOSE_TIMEOUT_S = 60.0
"""The longest that it waits in all, for a tracker that is slow and has much to do."""


class BackgroundTracker:
    """Passes every call, in order, to another tracker on one daemon thread.

    The first failure is reported once, with its cause, and ends the tracking; nothing is ever
    raised into the training, whose own record is ``metrics.jsonl``.

    Args:
        tracker: the tracker that does the work; only ``hint`` is called outside the thread.
        name: the tracker's name in warnings.
        stuck_s: the longest that ``close`` waits for one call, in seconds.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        name: str = "tracker",
        stuck_s: float = STUCK_S,
    ) -> None:
        self._tracker = tracker
        self._name = name
        self._stuck_s = stuck_s
        self._since = 0.0  # when the call that is being served began
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
        """Wait for the tracker to end its runs, as long as its calls return."""
        if self._closed:
            return
        self._closed = True
        self._failed = failed
        self._calls.put(None)
        started = time.monotonic()
        while self._thread.is_alive() and (left := self._left(started)) > 0:
            self._thread.join(left)
        if self._thread.is_alive():
            self._off = True
            logger.warning(
                "tracker %s is not done after %.0f s and is left behind; metrics.jsonl is complete"
                "%s",
                self._name,
                time.monotonic() - started,
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

    def _left(self, started: float) -> float:
        """Seconds for which ``close``, which began at ``started``, waits for the current call."""
        of_call = max(self._since, started) + self._stuck_s
        return min(of_call, started + CLOSE_TIMEOUT_S) - time.monotonic()

    def _attempt(self, call: Callable[[], None]) -> None:
        self._since = time.monotonic()
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
