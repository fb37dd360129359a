"""Labels of any kind as classes 0, 1, 2, ... with names."""

from __future__ import annotations

import re

import numpy as np

from gkd_runner.common.errors import DataError, on_one_line
from gkd_runner.data.graph import UNKNOWN_LABEL, IntArray
from gkd_runner.data.importing.raw import Array

MISSING = frozenset({"", "nan", "NaN", "None", "NA", "N/A", "null", "NULL", "<NA>"})
"""Texts that stand for an unknown label."""
FEW = 20
"""Labels with more values than this, and one for every second node, are no classes."""

_WHOLE = re.compile(r"-?\d+(\.0*)?")


def read_classes(
    labels: Array, names: tuple[str, ...], where: str
) -> tuple[IntArray, tuple[str, ...]]:
    """The class of each node, -1 where unknown, and the names of the classes.

    Texts are sorted, integers (also those written as text or as floats) by their value; either
    way the original value is the name, unless ``names`` has names for the integers. Integers
    that are 0, 1, 2, ... already need no names.

    Args:
        labels: one value per node ``[n]``; or ``[n, 1]``; or one column per class ``[n, C]``
            with a single 1 in each row.
        names: names of the integer labels; may be empty.
        where: the source, with which messages begin.

    Raises:
        DataError: for labels that are no classes.
    """
    texts, codes = _distinct(_one_per_node(labels, where))
    known = [text not in MISSING for text in texts]
    kept = [text for text, fine in zip(texts, known, strict=True) if fine]
    numbers = _whole_numbers(kept, where)
    classes = np.full(len(texts), UNKNOWN_LABEL, dtype=np.int64)
    if numbers is None:
        classes[known] = np.arange(len(kept))  # np.unique has sorted the texts
        given = tuple(kept)
    else:
        real = numbers != UNKNOWN_LABEL
        found, places = np.unique(numbers[real], return_inverse=True)
        classes[np.flatnonzero(known)[real]] = places
        given = _names_of(found, names, where)
    per_node = classes[codes]
    _check_number(int(classes.max(initial=-1)) + 1, kept, per_node, where)
    return per_node, given


def _distinct(values: Array) -> tuple[list[str], IntArray]:
    """The different values as sorted texts, and the place of each node's value among them."""
    if values.dtype.kind == "O":
        values = np.array(["" if v is None else str(v).strip() for v in values], dtype=np.str_)
    found, codes = np.unique(values, return_inverse=True)
    return [str(value) for value in found], codes


def _one_per_node(labels: Array, where: str) -> Array:
    if labels.ndim == 2 and labels.shape[1] == 1:
        return np.asarray(labels[:, 0])
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        if np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all():
            return np.asarray(labels.argmax(axis=1))
        raise DataError(
            f"{where}: the labels are [n, {labels.shape[1]}], and some node has no class or"
            " several; gkd-runner needs one class per node"
        )
    if labels.ndim != 1:
        raise DataError(f"{where}: the labels have shape {labels.shape}; give one per node")
    return np.asarray(labels)


def _whole_numbers(texts: list[str], where: str) -> IntArray | None:
    """The integers that all ``texts`` are, or ``None``. Raises ``DataError`` for fractions."""
    broken = [text for text in texts if not _WHOLE.fullmatch(text)]
    if not broken:
        return np.array([int(text.partition(".")[0]) for text in texts], dtype=np.int64)
    if all(_is_number(text) for text in texts):
        raise DataError(
            f"{where}: a label is {broken[0]}, a measured number and no class; name another"
            " column or array, or cut the numbers into classes first"
        )
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names_of(found: IntArray, names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The names of the classes that the integers ``found`` become."""
    counted = np.array_equal(found, np.arange(len(found)))
    if not names:
        return () if counted else tuple(map(str, found))
    if len(found) and (found[0] < 0 or found[-1] >= len(names)):
        raise DataError(
            f"{where}: {len(names)} class names, but the labels go from {found[0]} to {found[-1]}"
        )
    return names if counted else tuple(names[number] for number in found)


def _check_number(classes: int, texts: list[str], per_node: IntArray, where: str) -> None:
    labelled = int((per_node != UNKNOWN_LABEL).sum())
    if classes < 2:
        found = f"only the class {texts[0]!r}" if classes else "no class"
        raise DataError(f"{where}: the labels hold {found}; at least 2 classes are needed")
    if classes > max(FEW, labelled / 2):
        some = on_one_line(", ".join(texts[:4]))
        raise DataError(
            f"{where}: the labels have {classes:,} different values ({some}, ...) for"
            f" {labelled:,} nodes; labels are classes, so name another column or array"
        )
