"""A folder whose disk refuses to be written, for tests in this process.

The audit hook sees every file that Python opens and every folder that it makes. On a full disk a
new file can be opened, and each write to it fails: the kernel does that here for a link to
``/dev/full``. All else that is refused fails as it is made or opened.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FULL = Path("/dev/full")
WRITING = os.O_WRONLY | os.O_RDWR
NO_NEW_FILE = os.O_NOFOLLOW | os.O_APPEND
PART = re.compile(rf"\.{re.escape(socket.gethostname())}\.\d+\.part$")


class Disk:
    """The disk of the folder ``root``; ``writes`` are the files and folders to be written so far.

    ``refuses`` says for the path of each whether it is refused, with the number ``error``. A file
    is written under a temporary name, and known by its own.
    """

    def __init__(self, root: Path, refuses: Callable[[Path], bool], error: int) -> None:
        self.root, self.writes = root.resolve(), list[Path]()
        self._refuses, self._error = refuses, error

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse what the audit event announces, or let it pass."""
        flags = arguments[2] if event == "open" else None
        writes = flags & WRITING if event == "open" else event == "os.mkdir"
        if not writes or not isinstance(arguments[0], str | os.PathLike):
            return
        path = Path.cwd() / arguments[0]
        if not path.is_relative_to(self.root) or (flags is None and path.exists()):
            return
        known = path.with_name(PART.sub("", path.name))
        self.writes.append(known)
        if not self._refuses(known):
            return
        new = flags is not None and not flags & NO_NEW_FILE and not path.exists()
        if not new or self._error != errno.ENOSPC:
            raise OSError(self._error, os.strerror(self._error), str(path))
        path.symlink_to(FULL)

    def left(self) -> list[str]:
        """The names of temporary files and of those that were not written to their end."""
        found = self.root.rglob("*")
        return [p.name for p in found if p.suffix == ".part" or p.resolve() == FULL]


_disks: list[Disk] = []
_hooked: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _disks and event in ("open", "os.mkdir"):
        disk = _disks.pop()  # what the disk itself does is not looked at
        try:
            disk.see(event, arguments)
        finally:
            _disks.append(disk)


@contextmanager
def disk(
    root: Path, refuses: Callable[[Path], bool] = lambda _: False, error: int = errno.ENOSPC
) -> Iterator[Disk]:
    """Watch what is written below ``root``."""
    if not _hooked:
        sys.addaudithook(_hook)  # stays until this process ends
        _hooked.append(True)
    _disks.append(watched := Disk(root, refuses, error))
    try:
        yield watched
    finally:
        _disks.clear()


def full_from(name: str) -> Callable[[Path], bool]:
    """For a disk that is full once a file or folder of this name is to be written."""
    full = False

    def refuses(path: Path) -> bool:
        nonlocal full
        full = full or path.name == name
        return full

    return refuses
