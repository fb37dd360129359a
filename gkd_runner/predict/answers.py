"""Answers of a student, and the files that they are written to."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.files import replacing
from gkd_runner.data.graph import FloatArray, IntArray

SUFFIXES = (".csv", ".json", ".parquet")


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers for ``k`` nodes.

    ``ids`` ``[k]`` are the nodes' original ids, ``probabilities`` is ``[k, C]`` float32, and
    ``class_names`` are the names of its columns.
    """

    ids: npt.NDArray[Any]
    probabilities: FloatArray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def predicted(self) -> IntArray:
        """The number of each node's most probable class ``[k]``."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def classes(self) -> npt.NDArray[Any]:
        """The name of each node's most probable class ``[k]``."""
        return np.array(self.class_names)[self.predicted]

    @property
    def confidence(self) -> FloatArray:
        """The probability of each node's most probable class ``[k]``."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def columns(self) -> list[str]:
        """The columns of a table: id, class, confidence, and one probability per class."""
        return ["id", "class", "confidence", *(f"p_{name}" for name in self.class_names)]

    def rows(self) -> Iterator[list[Any]]:
        """The rows of a table with ``columns``, as plain values."""
        parts = (self.ids, self.classes, self.confidence, self.probabilities)
        for node, name, confidence, row in zip(*(part.tolist() for part in parts), strict=True):
            yield [node, name, confidence, *row]

    def to_csv(self) -> str:
        """A header and a line per node; numbers have 6 significant digits."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        for node, name, *numbers in self.rows():
            writer.writerow([node, name, *(f"{number:.6g}" for number in numbers)])
        return stream.getvalue()

    def to_json(self) -> str:
        """A list with an object per node."""
        return json.dumps(list(self._objects()), indent=1, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        """Write a ``.csv``, ``.json`` or ``.parquet`` file, atomically.

        Raises ``ConfigError`` for another suffix, and where Parquet needs a package.
        """
        check_output(path)
        with replacing(path) as part:
            if path.suffix == ".parquet":
                self._write_parquet(part)
            else:
                text = self.to_csv() if path.suffix == ".csv" else self.to_json()
                part.write_text(text, encoding="utf-8")

    def _objects(self) -> Iterator[dict[str, Any]]:
        for node, name, confidence, *row in self.rows():
            probabilities = dict(zip(self.class_names, row, strict=True))
            answer = {"id": node, "class": name, "confidence": confidence}
            yield {**answer, "probabilities": probabilities}

    def _write_parquet(self, path: Path) -> None:
        import pyarrow  # an extra
        import pyarrow.parquet

        parts = [self.ids, self.classes, self.confidence, *self.probabilities.T]
        table = pyarrow.table([pyarrow.array(part) for part in parts], names=self.columns)
        pyarrow.parquet.write_table(table, path)


def check_output(path: Path) -> None:
    """Raise ``ConfigError`` unless answers can be written to ``path``."""
    if path.suffix not in SUFFIXES:
        allowed = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise ConfigError([f"{path}: the name of a file of answers ends in {allowed}"])
    if not path.parent.is_dir():
        raise ConfigError([f"{path}: there is no folder {path.parent}; make it first"])
    if path.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError([f"{path}: Parquet needs pyarrow (pip install pyarrow); or write .csv"])
