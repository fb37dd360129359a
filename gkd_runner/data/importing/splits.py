"""Splits from masks or ids, under the names that people give them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import IntArray, Split
from gkd_runner.data.importing.raw import Array

PARTS = ("train", "val", "test")

_PART = r"(?P<part>train|val|valid|validation|test)"
_KIND = r"(?P<kind>masks?|idx|ids|index|indices)"
_NAME = re.compile(rf"{_PART}_{_KIND}|(?P<kind2>idx)_(?P<part2>train|val|valid|validation|test)")


class Splits(NamedTuple):
    """The splits of a graph, and how many parts serve all of them as there is only one."""

    splits: tuple[Split, ...]
    shared_parts: int


def split_arrays(names: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """The names that stand for a part of a split: ``{name: (part, "mask" or "idx")}``.

    Understood are ``train_mask``, ``train_masks``, ``train_idx``, ``train_index``,
    ``train_indices``, ``train_ids`` and ``idx_train``, and the same with val, valid or validation,
    and test.
    """
    found = {}
    for name in names:
        if match := _NAME.fullmatch(name):
            part = match["part"] or match["part2"]
            kind = "mask" if (match["kind"] or "").startswith("mask") else "idx"
            found[name] = ("val" if part.startswith("val") else part, kind)
    return found


def read_splits(arrays: Mapping[str, Any], nodes: int, where: str) -> Splits:
    """The splits that are among ``arrays``, with sorted ids.

    A mask is ``[n]``, ``[n, s]`` or ``[s, n]`` for s splits, of bools or of 0 and 1; ids are
    ``[k]`` or ``[s, k]``. A part without a dimension of splits serves all of them.

    Raises:
        DataError: for a missing part, one given twice, and arrays of other shapes or types.
    """
    given: dict[str, tuple[str, list[IntArray]]] = {}
    for name, (part, kind) in split_arrays(arrays).items():
        if part in given:
            raise DataError(f"{where}: has {given[part][0]} and {name}; give one of them")
        reader = _from_mask if kind == "mask" else _from_ids
        given[part] = (name, reader(np.asarray(arrays[name]), nodes, f"{where}: {name}"))
    if not given:
        return Splits((), 0)
    _check_parts(given, where)
    counts = {len(ids) for _, ids in given.values()} - {1} or {1}
    if len(counts) > 1:
        several = ", ".join(f"{name} has {len(ids)}" for name, ids in given.values())
        raise DataError(f"{where}: {several}; all parts need the same number of splits")
    [count] = counts
    columns = [given[part][1] * (count // len(given[part][1])) for part in PARTS]
    shared = sum(len(ids) < count for _, ids in given.values())
    return Splits(tuple(Split(*parts) for parts in zip(*columns, strict=True)), shared)


def _check_parts(given: Mapping[str, tuple[str, list[IntArray]]], where: str) -> None:
    if missing := [part for part in PARTS if part not in given]:
        has = [name for name, _ in given.values()]
        wanted = ", ".join(
            re.sub(r"train|valid(ation)?|val|test", part, has[0]) for part in missing
        )
        raise DataError(f"{where}: has {', '.join(has)} but not {wanted}; give all or none")


def _from_mask(mask: Array, nodes: int, where: str) -> list[IntArray]:
    """One sorted array of ids per split."""
    if mask.dtype != bool:
        if mask.dtype.kind not in "iuf" or not np.isin(mask, (0, 1)).all():
            raise DataError(f"{where} must be a mask of True and False, got {_kind(mask)}")
        mask = mask.astype(bool)
    if mask.shape == (nodes,):
        mask = mask[None]
    elif mask.ndim == 2 and mask.shape[0] == nodes and mask.shape[1] != nodes:
        mask = mask.T
    if mask.ndim != 2 or mask.shape[1] != nodes:
        raise DataError(
            f"{where} has shape {mask.shape}; a mask is [{nodes}], or [splits, {nodes}]"
        )
    return [np.flatnonzero(row) for row in mask]


def _from_ids(ids: Array, nodes: int, where: str) -> list[IntArray]:
    """One sorted array of ids per split."""
    if ids.dtype == bool:
        return _from_mask(ids, nodes, where)
    if ids.dtype.kind not in "iu" or ids.ndim not in (1, 2):
        raise DataError(
            f"{where} must be a vector of node ids, or [splits, k] of them, got {_kind(ids)}"
        )
    return [np.sort(row.astype(np.int64)) for row in np.atleast_2d(ids)]


def _kind(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"
