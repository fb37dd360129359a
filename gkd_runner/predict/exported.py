"""A student that answers from the folder that ``gkd-export`` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.checksums import FILES
from gkd_runner.common.extras import require
from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.data.npz import read_npz
from gkd_runner.predict import folder as files
from gkd_runner.predict.folder import AGAIN, PredictError, check_file, read_facts
from gkd_runner.predict.layers import Layer, layers_of
from gkd_runner.predict.student import Student


class ExportedStudent(Student):
    """Answers from the files that ``gkd-export`` wrote, without torch, teacher and cache.

    Files are read when an answer first needs them, and checked before: one that is not as the
    export wrote it is refused by a ``PredictError``.

    Args:
        folder: the exported folder. Raises ``PredictError`` if it is something else.
        threads: of onnxruntime; by default its own choice.
        model: the name of the ONNX file in ``folder``.
    """

    def __init__(
        self, folder: Path | str, threads: int | None = None, model: str = files.MODEL
    ) -> None:
        self.folder, self._threads, self._model = Path(folder).expanduser(), threads, model
        super().__init__(read_facts(self.folder))

    @cached_property
    def graph(self) -> GraphData:
        path = self._file(files.GRAPH, "known nodes and neighbours")
        return read_npz(path, self.facts.dataset)

    @cached_property
    def table(self) -> npt.NDArray[Any]:
        path = self._file(files.TABLE, "known nodes and their neighbours")
        table: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return table

    @cached_property
    def models(self) -> Sequence[Sequence[Layer]]:
        require("an answer", "predict", "safetensors")
        from safetensors.numpy import load_file  # an extra

        tensors = load_file(self._file(files.WEIGHTS, "answers for all nodes"))
        if len(self.facts.seeds) == 1:
            return [layers_of(tensors)]
        return [layers_of(tensors, f"seed-{seed}.") for seed in self.facts.seeds]

    @cached_property
    def observed(self) -> npt.NDArray[np.bool_] | None:
        if not self._is_written(files.OBSERVED):
            return None
        path = self._file(files.OBSERVED, "known nodes")
        found: npt.NDArray[np.bool_] = np.load(path, allow_pickle=False)
        return found

    @property
    def _has_graph(self) -> bool:
        return (self.folder / files.GRAPH).is_file()

    def probabilities(self, x: FloatArray) -> FloatArray:
        answer: FloatArray = self._session.run(None, {"features": x})[0]
        return answer

    @cached_property
    def _session(self) -> Any:
        require("an answer", "predict", "onnxruntime")
        import onnxruntime  # an extra

        options = onnxruntime.SessionOptions()
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        path = self._file(self._model, "all answers")
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def _file(self, name: str, needed_by: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise PredictError(f"{self.folder} lacks {name}, which {needed_by} need; {AGAIN}")
        check_file(self.folder, name, self.facts)
        return path

    def _is_written(self, name: str) -> bool:
        """True if the export wrote this file; format 1 does not tell of one that is gone."""
        listed = self.facts.raw.get(FILES)
        return (self.folder / name).is_file() if listed is None else name in listed
