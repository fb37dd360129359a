"""Locks between jobs: the second one waits, says so, and uses the work of the first."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger("gkd_runner")


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``; ``what`` says in the log what another holder is doing.

    The lock is released when its process ends in any way.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.warning("waiting for another job that %s", what)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """True if another job holds the lock file ``path`` at this moment."""
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # no access, or a read-only disk, as the cell that needs it will say
        return False
    lock.release()
    return False
