"""The interface of all trackers.

Trackers mirror ``metrics.jsonl`` and have no influence on training. Each seed is a tracked run; the
seeds of a job, which train together as replicas, are open at the same time.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gkd_runner.common.errors import GkdError

logger = logging.getLogger("gkd_runner")

_LONG_WORD = re.compile(r"[\w+=-]{32,}")  # keys of W&B have at least 40 characters


class TrackerError(GkdError):
    """A tracker that does not exist, is not installed, or has a wrong option."""


@dataclass(frozen=True)
class RunIdentity:
    """One seed of one configuration, as a tracker shows it.

    Attributes:
        project: the tracker's project.
        name: the run's display name, unique within its group.
        group: the configuration, which its seeds share.
        job_type: ``distil``, or ``baseline`` if the student learns from labels alone. Teacher and
            student are one run (metrics ``teacher/...`` and ``student/...``), so that they can be
            drawn against each other and a cached teacher is not logged twice.
        tags: words to filter by.
        config: options to group and filter by, in plain dicts, lists and scalars.
        seed: the seed, which identifies the run in every later call.
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
    """A service that shows metrics.

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
        """Ways to look at the runs: pairs of a short label and a command or an address."""

    def remedy(self) -> str:
        """How to send the service what it did not take; empty if there is no way."""


class NullTracker:
    """Tracks nothing (``tracker=none``)."""

    def begin(self, run: RunIdentity) -> None: ...

    def log(self, seed: int, metrics: Mapping[str, float]) -> None: ...

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None: ...

    def close(self, *, failed: bool = False) -> None: ...

    def hint(self) -> tuple[tuple[str, str], ...]:
        return ()

    def remedy(self) -> str:
        return ""


@contextmanager
def closing(tracker: Tracker) -> Iterator[Tracker]:
    """Close the tracker at the end of the block, as failed if the block raises."""
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
    """Return the kind and the first line of an error; services answer in paragraphs.

    Words that are as long as a key are left out: a server may quote the one that it was sent.
    """
    lines = _LONG_WORD.sub("...", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
