"""Progress of long work: told by any layer, shown by whichever layer above has asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OnProgress = Callable[[str, float], None]
"""Gets the name of the work and the share of it that is done, in [0, 1]."""


def _nobody(work: str, share: float) -> None:
    """Show nothing."""


_LISTENER: ContextVar[OnProgress] = ContextVar("progress_listener", default=_nobody)


@contextmanager
def progress_to(listener: OnProgress) -> Iterator[None]:
    """Send the progress of all work inside the block to ``listener``."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell_progress(work: str, share: float) -> None:
    """Say that the given ``share`` of ``work``, in [0, 1], is done."""
    _LISTENER.get()(work, share)
