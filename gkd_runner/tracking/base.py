"""What every tracker offers, and the one place that opens a tracker by name.

Trackers mirror ``metrics.jsonl``; they never decide anything. A run is tracked per seed, and the
seeds of a job, trained together as replicas, are open at the same time.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from gkd_runner.errors import GkdError, nearest

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
        job_type: what the run does, such as ``distil``.
        tags: words to filter by.
        config: the resolved configuration, in plain dicts, lists and scalars.
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

    Metric names are ``<stage>/<quantity>``, with the epoch among them:
    ``{"teacher/epoch": 3, "teacher/val_acc": 0.7}``. One call reports one stage and one epoch.
    """

    def begin(self, run: RunIdentity) -> None:
        """Open the run of ``run.seed``; other seeds may be open already."""

    def log(self, seed: int, metrics: Mapping[str, float]) -> None:
        """Report one epoch of one stage."""

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        """End the run of ``seed`` with its final values."""

    def close(self, *, failed: bool = False) -> None:
        """End every run that is still open, as failed or not; a second call does nothing."""

    def hint(self) -> str:
        """Return one line that says how to look at the runs, or an empty string."""


class NullTracker:
    """Tracks nothing (``tracker=none``)."""

    def begin(self, run: RunIdentity) -> None: ...

    def log(self, seed: int, metrics: Mapping[str, float]) -> None: ...

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None: ...

    def close(self, *, failed: bool = False) -> None: ...

    def hint(self) -> str:
        return ""


@dataclass(frozen=True)
class TrackerOptions:
    """What a tracker may be told.

    Attributes:
        directory: the job's output folder.
        mode: ``online``, ``offline``, ``disabled``, or None to find out (W&B only).
        entity: the user or team that owns the runs (W&B only).
        close_timeout_s: how long the end of a job waits for the tracker, in seconds.
    """

    directory: Path
    mode: str | None = None
    entity: str | None = None
    close_timeout_s: float = 60.0


def open_tracker(
    name: str,
    *,
    directory: Path,
    mode: str | None = None,
    entity: str | None = None,
    close_timeout_s: float = 60.0,
) -> Tracker:
    """Build a tracker; unless it is ``none``, its calls run on a background thread.

    Args:
        name: ``wandb``, ``trackio`` or ``none``.
        directory: the job's output folder.
        mode: see ``TrackerOptions``.
        entity: see ``TrackerOptions``.
        close_timeout_s: see ``TrackerOptions``.

    Raises:
        TrackerError: for an unknown name, a package that is not installed, or an option that
            the tracker does not have.
    """
    if name not in BUILDERS:
        choices = ", ".join(BUILDERS)
        raise TrackerError(f"unknown tracker {name!r} (one of {choices}){nearest(name, BUILDERS)}")
    options = TrackerOptions(directory, mode, entity, close_timeout_s)
    return BUILDERS[name](options)


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


def _in_background(name: str, tracker: Tracker, options: TrackerOptions) -> Tracker:
    from gkd_runner.tracking.background import BackgroundTracker

    return BackgroundTracker(tracker, name=name, close_timeout_s=options.close_timeout_s)


def _build_wandb(options: TrackerOptions) -> Tracker:
    from gkd_runner.tracking.wandb_tracker import WandbTracker

    tracker = WandbTracker(options.directory, mode=options.mode, entity=options.entity)
    return _in_background("wandb", tracker, options)


def _build_trackio(options: TrackerOptions) -> Tracker:
    from gkd_runner.tracking.trackio_tracker import TrackioTracker

    for option in ("mode", "entity"):
        value = getattr(options, option)
        if value is not None:
            raise TrackerError(f"tracker=trackio has no option {option!r} (given: {value!r})")
    return _in_background("trackio", TrackioTracker(), options)


def _build_none(_: TrackerOptions) -> Tracker:
    return NullTracker()


BUILDERS: dict[str, Callable[[TrackerOptions], Tracker]] = {
    "wandb": _build_wandb,
    "trackio": _build_trackio,
    "none": _build_none,
}
