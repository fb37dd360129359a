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

BUILDERS: dict[str, Callable[[TrackerConfig, Path], Tracker]] = {
    "wandb": lambda config, folder: WandbTracker(folder, mode=config.mode, entity=config.entity),
    "trackio": lambda *_: TrackioTracker(),
    "none": lambda *_: NullTracker(),
}


def open_tracker(config: TrackerConfig, directory: Path) -> Tracker:
    """Build the tracker ``config.name``; unless it is ``none``, a background thread calls it.

    ``directory`` is the job's output folder. Raises ``TrackerError`` for an unknown name or a
    package that is not installed.
    """
    name = config.name
    if name not in BUILDERS:
        choices = ", ".join(BUILDERS)
        raise TrackerError(f"unknown tracker {name!r} (one of {choices}){nearest(name, BUILDERS)}")
    tracker = BUILDERS[name](config, directory)
    return tracker if name == "none" else BackgroundTracker(tracker, name=name)
