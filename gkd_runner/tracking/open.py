"""Opens a tracker by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gkd_runner.common.errors import nearest
from gkd_runner.options.schema import TrackerConfig
from gkd_runner.tracking.background import BackgroundTracker
from gkd_runner.tracking.base import NullTracker, Tracker, TrackerError
from gkd_runner.tracking.trackio_tracker import TrackioTracker
from gkd_runner.tracking.wandb_tracker import WandbTracker


def open_tracker(config: TrackerConfig, directory: Path) -> Tracker:
    """Build a tracker; unless it is ``none``, its calls run on a background thread.

    Args:
        config: which tracker, and its options.
        directory: the job's output folder.

    Raises:
        TrackerError: for an unknown name, a package that is not installed, or an option that
            the tracker does not have.
    """
    name = config.name
    if name not in BUILDERS:
        choices = ", ".join(BUILDERS)
        raise TrackerError(f"unknown tracker {name!r} (one of {choices}){nearest(name, BUILDERS)}")
    return BUILDERS[name](config, directory)


def _build_wandb(config: TrackerConfig, directory: Path) -> Tracker:
    tracker = WandbTracker(directory, mode=config.mode, entity=config.entity)
    return _in_background(config, tracker)


def _build_trackio(config: TrackerConfig, _: Path) -> Tracker:
    return _in_background(config, TrackioTracker())


def _build_none(config: TrackerConfig, _: Path) -> Tracker:
    return NullTracker()


def _in_background(config: TrackerConfig, tracker: Tracker) -> Tracker:
    return BackgroundTracker(tracker, name=config.name)


BUILDERS: dict[str, Callable[[TrackerConfig, Path], Tracker]] = {
    "wandb": _build_wandb,
    "trackio": _build_trackio,
    "none": _build_none,
}
