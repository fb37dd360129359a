"""Trained teachers as files: weights and logits as tensors, the history as facts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gkd_runner.common.errors import DamageError
from gkd_runner.common.tensor_files import Arrays, Tensors, read_tensors, write_tensors
from gkd_runner.training.fit import Epoch
from gkd_runner.training.stage import Trained

OBSERVED, HIDDEN = "logits.observed", "logits.hidden"
"""The tensors that are logits; all others are weights."""


def teacher_file(folder: Path, key: str) -> Path:
    """The file of the teacher of ``key`` in the cache ``folder``."""
    return folder / f"{key}.safetensors"


def write_teacher(path: Path, key: str, teacher: Trained) -> None:
    """Write a teacher that ``load_teacher`` reads."""
    arrays = {name: value.numpy() for name, value in teacher.state.items()}
    arrays |= {OBSERVED: teacher.observed_logits, HIDDEN: teacher.hidden_logits}
    facts = {
        "seed": teacher.seed,
        "best_epoch": teacher.best_epoch,
        "history": [(*epoch[:4], *epoch.logged) for epoch in teacher.history],
        "seconds": teacher.seconds,
    }
    write_tensors(path, Tensors(arrays, facts), key)


def load_teacher(path: Path, key: str, *, sealed: bool = True) -> Trained:
    """The teacher of ``key``, as ``write_teacher`` wrote it to ``path``.

    With ``sealed=False`` a file of an earlier version may be without key and checksum. Raises
    ``DamageError`` for a file that is damaged, of another teacher or without a checksum, and for
    one whose content is impossible; ``OSError`` for one that cannot be read.
    """
    arrays, facts = read_tensors(path, key, sealed=sealed)
    for problem in (*_of_arrays(arrays), *_of_facts(facts)):
        raise DamageError(problem)
    return Trained(
        seed=facts["seed"],
        observed_logits=arrays[OBSERVED],
        hidden_logits=arrays[HIDDEN],
        state={
            name: torch.from_numpy(array)
            for name, array in arrays.items()
            if name not in (OBSERVED, HIDDEN)
        },
        best_epoch=facts["best_epoch"],
        history=[_epoch(row) for row in facts["history"]],
        seconds=facts["seconds"],
    )


def _epoch(row: Sequence[Any]) -> Epoch:
    """An epoch from its numbers, and the pairs of what it logged."""
    return Epoch(*row[:4])._replace(logged=tuple(map(tuple, row[4:])))


def _of_arrays(arrays: Arrays) -> Iterator[str]:
    """A mistake in a teacher's logits, ``[n, C]`` float32."""
    for name in (OBSERVED, HIDDEN):
        if name not in arrays:
            yield f"it has no {name}"
            return
        shape, dtype = arrays[name].shape, arrays[name].dtype
        if len(shape) != 2 or dtype != "float32":
            yield f"{name} is {dtype} of shape {shape}, not float32 of (nodes, classes)"
            return
    columns = [arrays[name].shape[1] for name in (OBSERVED, HIDDEN)]
    if columns[0] != columns[1]:
        yield f"its logits are of {columns[0]} and of {columns[1]} classes"


def _of_facts(facts: Mapping[str, Any]) -> Iterator[str]:
    """A mistake in a training's record: epochs count from 1, and the best is one of them."""
    try:
        epochs = [_epoch(row) for row in facts["history"]]
        numbers = [epoch.epoch for epoch in epochs]
        values = [
            value for epoch in epochs for value in (*epoch[1:4], *dict(epoch.logged).values())
        ]
        whole = [facts["seed"], facts["best_epoch"], *numbers]
        if not all(type(number) is int for number in whole):
            yield "its seed or its epochs are not whole numbers"
        if numbers != list(range(1, len(epochs) + 1)):
            yield "the epochs of its history are not 1, 2, 3 and so on"
        if not all(map(math.isfinite, (*values, facts["seconds"]))) or facts["seconds"] < 0:
            yield "its history has values that are no numbers"
        if not all(0 <= epoch.val_accuracy <= 1 for epoch in epochs):
            yield "its history has accuracies that are not between 0 and 1"
        if not min(len(epochs), 1) <= facts["best_epoch"] <= len(epochs):
            yield f"its best epoch is {facts['best_epoch']} of {len(epochs)}"
    except (KeyError, TypeError, ValueError) as error:
        yield f"its history is damaged: {error!r}"
