"""What zip files from the network may hold (``.npz`` files are zip files, too)."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

MAX_BYTES = 2**32
"""Bytes of a download, and of all that a zip file unpacks to; ogbn-products has 1.4e9."""


def flaw(path: Path) -> str | None:
    """Say why the file at ``path`` is refused; None if it is no zip file, or a harmless one.

    Refused are members that name a place outside the archive, links, and archives that unpack to
    more than ``MAX_BYTES``. Deflate shrinks an array of ones a thousandfold, so that the size is
    limited and the ratio is not.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        return f"it is a damaged zip file ({error})"
    for member in members:
        if _leaves(member.filename):
            return f"its member {member.filename!r} lies outside the archive"
        if stat.S_ISLNK(member.external_attr >> 16):  # the upper half is the mode that Unix gave it
            return f"its member {member.filename!r} is a link"
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_BYTES:
        return f"it unpacks to {unpacked} bytes, more than {MAX_BYTES}"
    return None


def _leaves(name: str) -> bool:
    windows = PureWindowsPath(name)  # splits at both kinds of slashes
    return bool(PurePosixPath(name).is_absolute() or windows.anchor or ".." in windows.parts)
