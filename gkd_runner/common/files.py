"""Atomic writing: a file is whole or absent, and what the system refuses is named."""

from __future__ import annotations

import glob
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HALF = ".part"
"""The end of the name of a file that is being written."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it replaces ``path`` unless the block raises.

    What killed processes of this machine have left of ``path`` is removed. Errors of the system
    name ``path``, as in ``naming``.
    """
    start = f"{path.name}.{socket.gethostname()}."
    part = path.with_name(f"{start}{os.getpid()}{HALF}")
    with naming(path, part):
        for half in path.parent.glob(f"{glob.escape(start)}*{HALF}"):
            if not _runs(int(half.name[len(start) : -len(HALF)])):
                half.unlink(missing_ok=True)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes) -> None:
    """Write a whole file, in one step; text is written in UTF-8."""
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def naming(path: Path, part: Path | None = None) -> Iterator[None]:
    """Let every ``OSError`` of the block that names no file, as that of a full disk, name ``path``.

    Those that name the temporary ``part``, or a file in it, name ``path`` as well.
    """
    try:
        yield
    except OSError as error:
        if error.errno and (error.filename is None or (part and _lies_in(part, error.filename))):
            error.filename, error.filename2 = str(path), None
        raise


def _runs(process: int) -> bool:
    """True if there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _lies_in(folder: Path, name: object) -> bool:
    return isinstance(name, str | os.PathLike) and Path(name).is_relative_to(folder)
