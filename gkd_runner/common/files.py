"""Atomic writing: a file is whole or absent, and what the system refuses is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it replaces ``path`` unless the block raises.

    Errors of the system name ``path``, as in ``naming``.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with naming(path, part):
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


def _lies_in(folder: Path, name: object) -> bool:
    return isinstance(name, str | os.PathLike) and Path(name).is_relative_to(folder)
