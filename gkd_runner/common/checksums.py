"""Checksums of everything that is written and read again, so that no damaged file is trusted.

An object of JSON carries its own SHA-256 as its entry ``checksum`` (``sealed``). So does the header
of a file of tensors (``tensor_files``), which has the SHA-256 of the tensors, too. The other files
of a run are listed, by name and SHA-256, in the sealed JSON of their folder. A table that people
open with programs of their own has its SHA-256 in a file beside it (``write_with_sum``), as
``sha256sum`` writes and checks it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.errors import DamageError
from gkd_runner.common.files import write_file

CHECKSUM = "checksum"
"""The entry of sealed JSON that has the checksum of all others."""

FILES = "files"
"""The entry of sealed JSON that lists the files of its folder."""

BESIDE = ".sha256"
"""The end of the name of the file that has the checksum of another."""


def of_file(path: Path) -> str:
    """SHA-256 of the bytes of a file. Raises ``OSError`` if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def of_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 of the names, dtypes, shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(_text([name, array.dtype.str, array.shape]).encode())
        digest.update(array.data)
    return digest.hexdigest()


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` as JSON will give it back, with the checksum of all its other entries."""
    plain = json.loads(json.dumps(data))  # keys that are numbers become text, which sorts otherwise
    return {**plain, CHECKSUM: _of_json(plain)}


def check_seal(data: Mapping[str, Any]) -> None:
    """Raise ``DamageError`` unless ``data``, as read from JSON, is what ``sealed`` returned."""
    if CHECKSUM not in data:
        raise DamageError("it has no checksum")
    if data[CHECKSUM] != _of_json(data):
        raise DamageError("its content does not have its checksum")


def listing(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The checksums of files in ``folder``, by name."""
    return {name: of_file(folder / name) for name in sorted(names)}


def check_listed(folder: Path, name: str, files: Mapping[str, str]) -> None:
    """Raise ``DamageError`` unless the file is the one that ``files`` lists.

    Raises ``OSError`` if it cannot be read.
    """
    if name not in files:
        raise DamageError("it is not one of the files that were written with it")
    if of_file(folder / name) != files[name]:
        raise DamageError("its content does not have its checksum")


def write_with_sum(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8 to ``path``, and its checksum beside it; each is whole or absent.

    A process that is killed here leaves the file of before or the new one, and its checksum.
    """
    content, beside = text.encode(), _beside(path)
    line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
    if beside.is_file():  # until the file is replaced, either may be found
        write_file(beside, beside.read_bytes() + line.encode())
    write_file(path, content)
    write_file(beside, line.encode())


def has_sum(path: Path) -> bool:
    """True if the checksum of ``path`` lies beside it, as ``write_with_sum`` wrote it.

    Raises ``DamageError`` if it is the checksum of other content, and ``OSError`` for a file that
    cannot be read.
    """
    found, beside = of_file(path), _beside(path)  # in this order, as another process may write
    if not beside.is_file():
        return False
    sums = [line.split()[:1] for line in beside.read_bytes().splitlines()]
    if [found.encode()] not in sums:
        raise DamageError(
            f"{beside.name} has another checksum; delete that file if you changed this one yourself"
        )
    return True


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}{BESIDE}")


def _of_json(data: Mapping[str, Any]) -> str:
    others = {name: value for name, value in data.items() if name != CHECKSUM}
    return hashlib.sha256(_text(others).encode()).hexdigest()


def _text(data: Any) -> str:
    """One text for equal data, however the JSON that it was read from is laid out."""
    return json.dumps(data, sort_keys=True)
