"""Files of tensors (safetensors), whose header has their key, their facts and their checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gkd_runner.common.checksums import check_seal, of_arrays, sealed
from gkd_runner.common.errors import DamageError
from gkd_runner.common.files import write_file

HEADER = "gkd_runner"
"""The only entry of the header, as several would be written in a random order."""

EARLIER = "teacher"
"""The entry with the facts about a teacher that earlier versions wrote."""

Arrays = Mapping[str, npt.NDArray[Any]]


class Tensors(NamedTuple):
    """Arrays by name, and the facts about them, which are plain data."""

    arrays: Arrays
    facts: Mapping[str, Any]


def write_tensors(path: Path, tensors: Tensors, key: str) -> None:
    """Write a file that ``read_tensors`` reads; ``key`` tells it from all others."""
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.arrays.items()}
    header = sealed({"key": key, "facts": tensors.facts, "tensors": of_arrays(arrays)})
    # bytes, as safetensors' own files can be read by their owner alone
    write_file(path, save(arrays, metadata={HEADER: json.dumps(header)}))


def read_tensors(path: Path, key: str, *, sealed: bool = True) -> Tensors:
    """The tensors that were written to ``path`` for ``key``.

    With ``sealed=False`` a file of an earlier version, which has no checksum, is read as well.
    Raises ``DamageError`` for a file that is damaged, of another key, without a checksum or with
    values that are NaN or infinite, and ``OSError`` for one that cannot be read.
    """
    arrays, header = _content(path)
    try:
        facts = _facts(arrays, header, key, sealed)
    except (TypeError, ValueError) as error:
        raise DamageError(f"its header is damaged: {error}") from error
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise DamageError(f"{name} has values that are NaN or infinite")
    return Tensors(arrays, facts)


def _facts(arrays: Arrays, header: Mapping[str, str], key: str, sealed: bool) -> dict[str, Any]:
    """The facts in the header, once checksums and key are right."""
    facts: dict[str, Any]
    if HEADER not in header:
        if sealed:
            raise DamageError("it has no checksum, as earlier versions wrote it")
        facts = json.loads(header.get(EARLIER, "{}"))
        return facts
    told = json.loads(header[HEADER])
    check_seal(told)
    if told["tensors"] != of_arrays(arrays):
        raise DamageError("its tensors do not have their checksum")
    if told["key"] != key:
        raise DamageError(f"it is the file of {told['key'][:20]}, not of {key[:20]}")
    facts = told["facts"]
    return facts


def _content(path: Path) -> tuple[Arrays, Mapping[str, str]]:
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DamageError(f"it is no whole file of tensors: {error}") from error
