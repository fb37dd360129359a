"""What every tracker offers, and the one place that opens a tracker by name.

Trackers mirror ``metrics.jsonl``; they never decide anything. A run is tracked per seed, and the
seeds of a job, trained together as replicas, are open at the same time.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gkd_runner.common.errors import GkdError

logger = logging.getLogger("gkd_runner")


class TrackerError(GkdError):
    """A tracker that does not exist, is not installed, or was given a wrong option."""


@dataclass(frozen=True)
class RunIdentity:
    """One seed of one configuration, as a tracker shows it.

    Attributes:
        project: where all runs of a study stand together.
        name: the run's display name, unique within its group.
        group: the configuration; its seeds share it.
        job_type: ``distil``, or ``baseline`` where the student hears no teacher. A stage is no job
            type: both are in one run (metrics ``teacher/...`` and ``student/...``), so that a
            student can be drawn against its own teacher and a cached teacher is not told twice.
        tags: words to filter by.
        config: what the run can be grouped and filtered by, in plain dicts, lists and scalars.
        seed: the seed, and the handle for every later call.
    """

    project: str
    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    seed: int


@runtime_checkable
class Tracker(Protocol):
    """Where metrics are shown.

    The names are those of ``gkd_runner.tracking.metrics``, with the epoch among them:
    ``{"teacher/epoch": 3, "teacher/val_accuracy": 0.7}``. One call reports one stage and one epoch.
    """

    def begin(self, run: RunIdentity) -> None:
        """Open the run of ``run.seed``; other seeds may be open already."""

    def log(self, seed: int, metrics: Mapping[str, float]) -> None:
        """Report one epoch of one stage."""

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """End the run of ``seed`` with its final values."""

    def close(self, *, failed: bool = False) -> None:
        """End every run that is still open, as failed or not; a second call does nothing."""

    def hint(self) -> tuple[tuple[str, str], ...]:
        """Return how to look at the runs: pairs of a short label and a command, or an address."""


class NullTracker:
    """Tracks nothing (``tracker=none``)."""

    def begin(self, run: RunIdentity) -> None: ...

    def log(self, seed: int, metrics: Mapping[str, float]) -> None: ...

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None: ...

    def close(self, *, failed: bool = False) -> None: ...

    def hint(self) -> tuple[tuple[str, str], ...]:
        return ()


@contextmanager
def closing(tracker: Tracker) -> Iterator[Tracker]:
    """Close the tracker at the end of the block, as failed when the block raises."""
    try:
        yield tracker
    except BaseException:
        tracker.close(failed=True)
        raise
    tracker.close()


def import_backend(module: str, *, install: str, instead: str) -> Any:
    """Import a tracker's package.

    Args:
        module: the package's import name.
        install: the command that installs it.
        instead: the options that do without it.

    Raises:
        TrackerError: when the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise TrackerError(
            f"tracker={module} needs the package {error.name or module!r}, which is not installed: "
            f"{install}, or choose {instead}"
        ) from error


def cause_of(error: BaseException) -> str:
    """Return the kind and the first line of an error; services answer in paragraphs."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
