"""The cache of teachers: per seed, content-addressed, atomic, shared by concurrent jobs.

A teacher is kept in ``<key>.safetensors``. The key hashes everything that shaped the teacher, so a
changed option, graph, split or line of code never reads a stale file. The file has its key and a
checksum of its content; a teacher whose file is not as it was written is trained again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gkd_runner.common.code import code_version
from gkd_runner.common.errors import DamageError
from gkd_runner.common.locks import held
from gkd_runner.data.graph import hash_arrays
from gkd_runner.data.task import Task
from gkd_runner.options.schema import SourceConfig, TeacherConfig, TrainingConfig
from gkd_runner.training.precomputed import shaping_options
from gkd_runner.training.stage import Trained
from gkd_runner.training.teacher_files import load_teacher, teacher_file, write_teacher

logger = logging.getLogger("gkd_runner")


def teacher_key(
    task: Task,
    teacher: SourceConfig,
    training: TrainingConfig,
    device: torch.device,
    *,
    deterministic: bool = False,
) -> str:
    """SHA-256 of all that shapes the teacher of ``task`` and its logits.

    Protocol and setting enter through the nodes that are observed, hidden, trained and validated
    on, so protocols that agree on these nodes share a teacher.
    """
    nodes = {
        "train": task.split.train,
        "val": task.split.val,
        "observed": task.observed,
        "hidden": task.hidden,
    }
    parts: dict[str, Any] = {
        "graph": task.graph.fingerprint,
        "nodes": hash_arrays(nodes),
        "seed": task.seed,
        "teacher": shaping_options(teacher, task.graph),
    }
    if isinstance(teacher, TeacherConfig):
        parts |= {
            "training": asdict(training),
            "deterministic": deterministic,
            "device": device.type,
            "torch": torch.__version__,
            "code": code_version("gkd_runner.training.teacher"),
        }
    else:
        parts["code"] = code_version("gkd_runner.training.precomputed")
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class TeacherCache:
    """Teachers on disk under ``folder``; ``mode`` is use, refresh or off."""

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder, self._mode = folder, mode

    def get_or_train(
        self, keys: Sequence[str], train: Callable[[Sequence[int]], Sequence[Trained | None]]
    ) -> tuple[list[Trained | None], list[bool]]:
        """The teachers of ``keys`` in order, and a flag for each that came from disk.

        ``train`` is called with the positions of the teachers to train, and returns ``None`` for
        one that fails. If another job is training one of them at this moment, this one waits for
        it and uses its result.
        """
        if self._mode == "off":
            return [*train(range(len(keys)))], [False] * len(keys)
        stored = [self._read(key) for key in keys]
        if all(stored):
            return [*stored], [True] * len(keys)
        with ExitStack() as locks:
            for key in sorted(
                key for key, teacher in zip(keys, stored, strict=True) if not teacher
            ):
                lock = self._folder / f"{key}.lock"
                locks.enter_context(held(lock, f"trains teacher {key[:12]}"))
            stored = [
                teacher or self._read(key, warn=True)
                for key, teacher in zip(keys, stored, strict=True)
            ]
            missing = [position for position, teacher in enumerate(stored) if not teacher]
            trained = dict(zip(missing, train(missing) if missing else [], strict=True))
            for position, teacher in trained.items():
                if teacher:
                    self._write(keys[position], teacher)
        hits = [position not in trained for position in range(len(keys))]
        return [trained.get(p) or t for p, t in enumerate(stored)], hits

    def holds(self, key: str) -> bool:
        """True if the teacher of ``key`` would be read instead of trained, if its file is sound."""
        return self._mode == "use" and self._path(key).is_file()

    def _path(self, key: str) -> Path:
        return teacher_file(self._folder, key)

    def _read(self, key: str, warn: bool = False) -> Trained | None:
        """The stored teacher; ``None`` if there is none, or a damaged one."""
        path = self._path(key)
        if self._mode == "refresh" or not path.is_file():
            return None
        try:
            return load_teacher(path, key)
        except DamageError as error:
            if warn:
                logger.warning("%s is damaged (%s); training that teacher again", path, error)
            return None

    def _write(self, key: str, teacher: Trained) -> None:
        write_teacher(self._path(key), key, teacher)
