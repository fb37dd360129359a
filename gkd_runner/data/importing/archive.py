"""Read the arrays of an ``.npz`` file, never its pickled objects."""

from __future__ import annotations

import math
import os
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from gkd_runner.common.errors import DataError
from gkd_runner.common.reading import ARRAY_ERRORS
from gkd_runner.data.importing.arrays import FEATURES, is_read
from gkd_runner.data.importing.kinds import PICKLE_SUFFIXES, hint

OPTIONAL = ("node_ids", "class_names", "feature_names")
"""Arrays that may hold pickled objects, as in some published files; these are not read then."""

MAPPED_FROM = 2**28
"""Bytes of features that are mapped from the file, if it allows; smaller ones are read."""

_BLOCK = 2**20  # bytes that are read at once to check a mapped array
_SIZES = struct.Struct("<26xHH")  # of name and extra field, in a zip member's local header

_END = 2**16 + 22  # bytes from the end that hold a zip file's closing record and comment
_MANY = 2**16 - 1  # its number of members, where they are counted elsewhere

_WRITER = "gkd_runner.data.npz.save_npz writes valid graph files"
_NPY_MAGIC = b"\x93NUMPY"

CONVERT = """\
If you trust its publisher, convert the file once (allow_pickle=True runs code that is in it):
  import numpy as np
  from gkd_runner import load_graph
  from gkd_runner.data.npz import save_npz
  old = np.load({path!r}, allow_pickle=True)
  arrays = {{key: old[key].item() if old[key].ndim == 0 else old[key] for key in old.files}}
  save_npz(load_graph(arrays, name={name!r}), {new!r})"""

CONVERT_TORCH = """\
If you trust its publisher, convert it once, where its libraries are installed:
  import torch
  from gkd_runner import load_graph
  from gkd_runner.data.npz import save_npz
  data = torch.load({path!r}, weights_only=False)  # runs code that is in the file
  data = data[0] if isinstance(data, (tuple, list)) else data
  save_npz(load_graph(data, name={name!r}), {new!r})"""


class Archive(NamedTuple):
    """Arrays by name, and the names of those that were left alone."""

    arrays: dict[str, npt.NDArray[Any]]
    unused: tuple[str, ...]


def read_archive(path: Path) -> Archive:
    """The arrays of ``path`` that gkd-runner understands.

    Large features that the file holds as they would lie in memory (``numpy.savez``, float32, in C
    order) are read-only maps of the file. Their numbers may be unaligned, which NumPy can handle,
    and torch and SciPy cannot.

    Raises:
        DataError: for a file that is missing, damaged or of another kind, and for pickled
            objects where numbers are needed; the message says how to convert such a file.
    """
    _check_kind(path)
    arrays: dict[str, npt.NDArray[Any]] = {}
    pickled = []
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
            _refuse_single_matrix(names, path)
            for name in filter(is_read, names):
                try:
                    arrays[name] = _member(archive, name, path)
                except _PickledError:
                    pickled.append(name)
    except ARRAY_ERRORS as error:
        raise DataError(f"{path}: a damaged .npz archive; {_WRITER}") from error
    if needed := [name for name in pickled if name not in OPTIONAL]:
        several = "arrays" if len(needed) > 1 else "array"
        raise DataError(
            f"{path}: the {several} {', '.join(needed)} {'hold' if needed[1:] else 'holds'} Python"
            f" objects (pickles), which are refused.\n{_filled(CONVERT, path)}"
        )
    return Archive(arrays, tuple(name for name in names if name not in arrays))


def _refuse_single_matrix(names: list[str], path: Path) -> None:
    if {"indptr", "indices", "format"} <= set(names):
        raise DataError(
            f"{path}: a single SciPy matrix, without labels; in Python:"
            " from gkd_runner import load_graph, then"
            f" load_graph(scipy.sparse.load_npz({str(path)!r}), features=..., labels=...)"
        )


class _PickledError(Exception):
    """An array of Python objects."""


def _member(archive: Any, name: str, path: Path) -> npt.NDArray[Any]:
    try:
        array = _mapped(archive.zip, name, path) if name in FEATURES else None
        array = archive[name] if array is None else array
    except ARRAY_ERRORS as error:
        if "allow_pickle" in str(error):
            raise _PickledError from error
        raise DataError(f"{path}: the array {name} is damaged") from error
    except MemoryError as error:
        raise DataError(f"{path}: the array {name} does not fit into memory ({error})") from error
    if not isinstance(array, np.ndarray):  # NumPy returns bytes for other members
        raise DataError(f"{path}: the array {name} is damaged")
    return array


def _mapped(archive: zipfile.ZipFile, name: str, path: Path) -> npt.NDArray[Any] | None:
    """The array as a map of the file once its checksum is right; ``None`` if it is to be read."""
    info = next((info for info in archive.infolist() if info.filename == f"{name}.npy"), None)
    if not info or info.compress_type != zipfile.ZIP_STORED or info.file_size < MAPPED_FROM:
        return None
    with archive.open(info) as member:
        if npy.read_magic(member) != (1, 0):
            return None
        shape, in_columns, dtype = npy.read_array_header_1_0(member)
        start = member.tell()
        whole = start + math.prod(shape) * dtype.itemsize == info.file_size
        if in_columns or dtype != np.dtype("<f4") or not whole:
            return None
        while member.read(_BLOCK):  # the last block raises BadZipFile if the checksum is wrong
            pass
    with path.open("rb") as stream:
        stream.seek(info.header_offset)
        header = stream.read(_SIZES.size)
    start += info.header_offset + _SIZES.size + sum(_SIZES.unpack(header))
    return np.asarray(np.memmap(path, dtype, "r", start, shape))


def _check_kind(path: Path) -> None:
    """Raise unless ``path`` is a zip file of arrays, as every ``.npz`` is."""
    if path.is_dir():
        raise DataError(
            f"{path}: is a folder; name the .npz file of a graph, or for gkd-import a list of edges"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_NPY_MAGIC))
            if start[:2] == b"PK" and zipfile.is_zipfile(stream):
                with zipfile.ZipFile(stream) as archive:
                    _check_count(archive, stream)
                    if not any(name.endswith("data.pkl") for name in archive.namelist()):
                        return
                raise _pickle(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except ARRAY_ERRORS as error:
        raise DataError(f"{path}: a damaged .npz archive; {_WRITER}") from error
    if path.suffix in PICKLE_SUFFIXES:
        raise _pickle(path)
    if told := hint(path):
        raise DataError(f"{path}: {told}")
    kind = "a single array (.npy)" if start == _NPY_MAGIC else "not a complete .npz archive"
    raise DataError(
        f"{path}: {kind}, so not a graph file, which is an .npz of several arrays; {_WRITER}"
    )


def _check_count(archive: zipfile.ZipFile, stream: BinaryIO) -> None:
    """Raise ``BadZipFile`` unless the archive lists as many members as it says at its end.

    A changed length in the list hides what follows, and zipfile lets it pass.
    """
    stream.seek(-min(_END, stream.seek(0, os.SEEK_END)), os.SEEK_END)
    end = stream.read()
    (count,) = struct.unpack_from("<10xH", end, end.rfind(b"PK\5\6"))
    if count not in (len(archive.infolist()), _MANY):
        raise zipfile.BadZipFile(f"it lists {len(archive.infolist())} of {count} members")


def _pickle(path: Path) -> DataError:
    return DataError(
        f"{path}: a pickle of Python objects, as torch.save writes it, which is refused.\n"
        f"{_filled(CONVERT_TORCH, path)}"
    )


def _filled(snippet: str, path: Path) -> str:
    stem = path.name.partition(".")[0]
    return snippet.format(path=str(path), name=stem, new=f"{stem}-converted.npz")
