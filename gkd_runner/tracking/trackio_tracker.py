"""Trackio: a local dashboard without an account; one run per seed."""

from __future__ import annotations

import contextvars
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any

from gkd_runner.tracking.base import RunIdentity, TrackerError, import_backend, logger

CHATTY_MODULES = ("trackio", "trackio.run", "trackio.utils")
REMOTE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
"""Variables that send runs to a server, for which Trackio waits more than a minute."""


class TrackioTracker:
    """Tracks with Trackio, in its own data folder (``TRACKIO_DIR`` moves it), and nowhere else.

    The epoch becomes Trackio's step, so that teacher and student both start at epoch 1. Trackio
    has no summary, tags or job type: the numbers of a summary become one last point each, under
    ``summary/``, and the others stand in the config. A failed run raises an alert.

    Raises:
        TrackerError: when trackio is not installed, or (on ``begin``) cannot store anything.
    """

    def __init__(self) -> None:
        self._trackio: Any = import_backend(
            "trackio",
            install="pip install trackio",
            instead="tracker=none or tracker=wandb",
        )
        _log_instead_of_printing()
        self._runs: dict[int, Any] = {}
        self._epochs: dict[int, int] = {}
        self._hint: tuple[tuple[str, str], ...] = ()

    def begin(self, run: RunIdentity) -> None:
        _check_writable(Path(self._trackio.utils.TRACKIO_DIR))
        # init() ends the run that is current in its context; a context each keeps seeds open.
        with _without(REMOTE):
            self._runs[run.seed] = contextvars.Context().run(
                self._trackio.init,
                project=run.project,
                name=run.name,
                group=run.group,
                config=_config(run),
                embed=False,
                # The seeds share one process: its hardware would be measured once per seed.
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        self._epochs[run.seed] = 0
        self._hint = _hint(run.project)

    def log(self, seed: int, metrics: Mapping[str, float]) -> None:
        epoch, values = _split_epoch(metrics)
        if epoch is not None:
            self._epochs[seed] = epoch
        self._runs[seed].log(values, step=self._epochs[seed])

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        run, epoch = self._runs.pop(seed), self._epochs.pop(seed)
        numbers = _numbers(summary)
        if numbers:
            run.log(numbers, step=epoch)
        if failed:
            run.alert("run failed", level=self._trackio.AlertLevel.ERROR, step=epoch)
        run.finish()

    def close(self, *, failed: bool = False) -> None:
        for seed in list(self._runs):
            self.finish(seed, {}, failed=failed)

    def hint(self) -> tuple[tuple[str, str], ...]:
        return self._hint

    def remedy(self) -> str:
        return ""  # nothing is uploaded


def _hint(project: str) -> tuple[tuple[str, str], ...]:
    look = ("look", shlex.join(["trackio", "show", "--project", project]))
    if space := os.environ.get("TRACKIO_SPACE_ID"):
        upload = ["trackio", "sync", "--project", project, "--space-id", space]
        return look, ("upload", shlex.join(upload))
    return (look,)


@contextmanager
def _without(names: Iterable[str]) -> Iterator[None]:
    """Take variables out of the environment meanwhile; Trackio has no option against them."""
    taken = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)


def _config(run: RunIdentity) -> dict[str, Any]:
    own = {"seed": run.seed, "job_type": run.job_type, "tags": list(run.tags)}
    return {**_flat(run.config), **own}


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn ``{"method": {"tau": 1}}`` into ``{"method.tau": 1}``, which runs can be grouped by."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _split_epoch(metrics: Mapping[str, float]) -> tuple[int | None, dict[str, float]]:
    """Take ``<stage>/epoch`` out of the metrics: as a metric it would be a plot of its own."""
    values = {name: value for name, value in metrics.items() if not name.endswith("/epoch")}
    epochs = [int(value) for name, value in metrics.items() if name.endswith("/epoch")]
    return (epochs[0] if epochs else None), values


def _numbers(summary: Mapping[str, Any]) -> dict[str, float]:
    # A second slash would open a section of its own inside the dashboard's "summary".
    return {
        f"summary/{name.replace('/', '_')}": float(value)
        for name, value in summary.items()
        if isinstance(value, Real)
    }


def _log_instead_of_printing() -> None:
    """Send Trackio's notices to the debug log; it has no setting to silence them.

    Its modules get a ``print`` of their own, since redirecting the process's stdout from the
    tracker's thread would swallow what other threads write, and break a progress bar's redirect.
    """

    def to_log(*words: object, **_: object) -> None:
        logger.debug("%s", " ".join(map(str, words)))

    for name in CHATTY_MODULES:
        if name in sys.modules:
            vars(sys.modules[name])["print"] = to_log


def _check_writable(folder: Path) -> None:
    """Raise ``TrackerError`` if ``folder`` cannot be written; Trackio itself only warns."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        raise TrackerError(f"{existing} cannot be written; set TRACKIO_DIR to a folder that can")
