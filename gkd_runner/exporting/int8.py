"""The student with 8-bit weights, which is kept only where it is as accurate and faster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from gkd_runner.data.graph import FloatArray, IntArray
from gkd_runner.exporting.from_run import RunStudent
from gkd_runner.predict import folder as files
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.serving.timing import measure

CPU = torch.device("cpu")

TOLERANCE = 0.005
"""Largest loss of validation accuracy that is accepted."""

SIZES = (1, 1024)
"""Batch sizes at which the 8-bit model must be faster than the float32 one."""

SECONDS = 0.2
"""Time for which each model answers at each size."""


@dataclass(frozen=True)
class Int8:
    """The result of the attempt.

    Attributes:
        kept: whether the model was written.
        loss: validation accuracy of float32 less that of int8.
        speed_ups: time of float32 over that of int8, for each of ``SIZES``.
    """

    kept: bool
    loss: float
    speed_ups: dict[int, float]

    @property
    def facts(self) -> dict[str, Any]:
        """For ``config.json``."""
        times = {str(size): ratio for size, ratio in self.speed_ups.items()}
        return {"kept": self.kept, "loss_of_val_accuracy": self.loss, "speed_ups": times}

    @property
    def sentence(self) -> str:
        """For the user."""
        times = " and ".join(f"{ratio:.2f} x (batch {n})" for n, ratio in self.speed_ups.items())
        measured = (
            f"validation accuracy {0 - 100 * self.loss:+.2f} points, speed {times} of float32"
        )
        if self.kept:
            return f"{files.INT8_MODEL} written: {measured}"
        return (
            f"int8 not written: {measured}; it must lose at most {100 * TOLERANCE:g} points and be"
            " faster at both sizes"
        )


def quantize(folder: Path) -> None:
    """Write the exported model a second time, dynamically quantised."""
    with _quiet():
        small = folder / files.INT8_MODEL
        quantize_dynamic(folder / files.MODEL, small, weight_type=QuantType.QInt8)


def try_int8(student: RunStudent, folder: Path) -> Int8:
    """Keep the quantised model, which ``config.json`` lists, if it passes on validation nodes."""
    threads = torch.get_num_threads()
    plain = ExportedStudent(folder, threads)
    small = ExportedStudent(folder, threads, model=files.INT8_MODEL)
    split = student.task.split
    loss = _val_accuracy(plain, split.val) - _val_accuracy(small, split.val)
    rows = student.known_inputs(np.resize(split.test, max(SIZES)))
    times = {size: (_seconds(plain, rows[:size]), _seconds(small, rows[:size])) for size in SIZES}
    ratios = {size: before / after for size, (before, after) in times.items()}
    kept = loss <= TOLERANCE and min(ratios.values()) > 1
    if not kept:
        (folder / files.INT8_MODEL).unlink()
    return Int8(kept, loss, ratios)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice of onnxruntime to fuse operators first, of which this model has none."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _val_accuracy(student: ExportedStudent, val: IntArray) -> float:
    right = student.predict_known(student.graph.ids[val]).predicted == student.graph.labels[val]
    return float(right.mean())


def _seconds(student: ExportedStudent, rows: FloatArray) -> float:
    return measure(student.probabilities, lambda: rows, CPU, SECONDS).median
