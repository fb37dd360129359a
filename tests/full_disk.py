"""A disk that is full from a given write on, for tests in this process.

The kernel itself refuses: a file that is opened for writing is a link to ``/dev/full``, where every
write fails with ``ENOSPC``. Folders and lock files are refused as they are made.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR


class Disk:
    """The folder ``root``, full from write number ``full_from`` on (counted from 0), or never.

    ``writes`` has the path of every file and folder that was made or opened for writing.
    """

    def __init__(self, root: Path, full_from: float) -> None:
        self.root, self.full_from = str(root.resolve()) + os.sep, full_from
        self.writes: list[Path] = []

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse what an audit event announces, if the disk is full by now."""
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
            self._write(arguments[0], arguments[2])
        elif event == "os.mkdir":
            self._write(arguments[0], None)

    def _write(self, name: object, flags: int | None) -> None:
        if not isinstance(name, str | os.PathLike):
            return  # a descriptor
        path = Path.cwd() / name
        if not str(path).startswith(self.root) or (flags is None and path.exists()):
            return
        self.writes.append(path)
        if len(self.writes) <= self.full_from:
            return
        if flags is None or flags & (os.O_NOFOLLOW | os.O_APPEND) or path.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        path.symlink_to("/dev/full")


_now: list[Disk] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _now and event in ("open", "os.mkdir"):
        (disk,) = _now
        _now.clear()  # its own files are not looked at
        try:
            disk.see(event, arguments)
        finally:
            _now.append(disk)


@contextmanager
def disk(root: Path, full_from: float = float("inf")) -> Iterator[Disk]:
    """Watch the writes below ``root`` and refuse those from number ``full_from`` on."""
    if _hook not in _installed:
        sys.addaudithook(_hook)  # stays until this process ends
        _installed.append(_hook)
    _now.append(watched := Disk(root, full_from))
    try:
        yield watched
    finally:
        _now.clear()


_installed: list[Any] = []
