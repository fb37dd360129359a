"""Precomputed teachers: the logits of a teacher that was trained elsewhere, read from a file."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.data.logits import read_logits
from gkd_runner.data.task import Task
from gkd_runner.options.schema import PrecomputedConfig, SourceConfig
from gkd_runner.training.stage import Trained

logger = logging.getLogger("gkd_runner")


def shaping_options(source: SourceConfig, graph: GraphData) -> dict[str, Any]:
    """The facts beside task and training that shape the teachers of ``source``, for a key.

    The content of a file stands for its path. Ids and names of the graph count, as rows and columns
    are matched with them.
    """
    options = asdict(source)
    if isinstance(source, PrecomputedConfig):
        options["logits"] = content_hash(source.logits)
        options["names"] = graph.names_fingerprint
    return options


def provenance(config: PrecomputedConfig, doubts: Sequence[str]) -> dict[str, Any]:
    """The file and its ``doubts``, for ``result.json``."""
    return {
        "path": str(Path(config.logits).expanduser().absolute()),
        "sha256": content_hash(config.logits),
        "doubts": list(doubts),
    }


@cache
def warn_once(path: str, doubt: str) -> None:
    """Log a doubt about a file, the first time in this process."""
    logger.warning("%s: %s", path, doubt)


def content_hash(path: str) -> str:
    """SHA-256 of a file. Raises ``DataError`` if it cannot be read."""
    try:
        found = Path(path).expanduser().resolve(strict=True)
        stat = found.stat()
        return _hash_of(found, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise DataError(
            f"teacher.logits={path}: {error.strerror}; give the path of the teacher's logits"
        ) from error


@cache
def _hash_of(path: Path, changed: int, size: int) -> str:
    """The hash of a file, computed once while its time of change and size stay."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class TeacherFile:
    """The file of a precomputed teacher; it is read when it is first asked."""

    def __init__(self, config: PrecomputedConfig) -> None:
        self._path = config.logits
        self._logits: dict[int | None, FloatArray] = {}

    def teachers(self, tasks: Sequence[Task]) -> list[Trained]:
        """The teacher of each task, without weights and epochs. Raises ``DataError``."""
        graph = tasks[0].graph
        if not self._logits:
            self._logits = read_logits(self._path, graph)
        return [self._teacher(task) for task in tasks]

    def _teacher(self, task: Task) -> Trained:
        logits = self._logits.get(task.seed, self._logits.get(None))
        if logits is None:
            has = ", ".join(map(str, self._logits))
            raise DataError(
                f"{self._path}: there are no logits of seed {task.seed}, only of seeds {has}; give"
                f" seeds=[{has.replace(' ', '')}], or logits of shape [n, C], which serve all seeds"
            )
        observed, hidden = logits[task.observed], logits[task.hidden]
        return Trained(task.seed, {}, observed, hidden, best_epoch=0, history=[], seconds=0.0)


def doubts(tasks: Sequence[Task], teachers: Sequence[Trained]) -> list[str]:
    """Sentences on what looks wrong about precomputed teachers, and on what cannot be checked."""
    return [*_useless(tasks, teachers), *_unseen(tasks), *_shared(tasks, teachers)]


def _useless(tasks: Sequence[Task], teachers: Sequence[Trained]) -> Iterator[str]:
    for task, teacher in zip(tasks, teachers, strict=True):
        labels = task.training_graph.labels[task.seen.val]
        right = float((teacher.observed_logits[task.seen.val].argmax(1) == labels).mean())
        largest = np.bincount(labels).max() / len(labels)
        if right <= largest:
            yield (
                f"seed {task.seed}: the logits are right on {100 * right:.1f}% of the validation"
                f" nodes, and the largest class alone is {100 * largest:.1f}% of them; are rows or"
                " columns in another order than the graph's? node_ids and class_names in the file"
                " say theirs"
            )


def _unseen(tasks: Sequence[Task]) -> Iterator[str]:
    if len(tasks[0].hidden):
        yield (
            "the logits come from a file, which does not tell whether their teacher saw the hidden"
            " nodes; if it did, test_hidden is not the accuracy on new nodes"
        )


def _shared(tasks: Sequence[Task], teachers: Sequence[Trained]) -> Iterator[str]:
    pairs = list(zip(tasks, teachers, strict=True))
    splits = {task.split.fingerprint for task in tasks}
    if len(splits) > 1 and all(_agree(pairs[0], pair) for pair in pairs[1:]):
        yield (
            f"the same logits teach seeds of {len(splits)} different splits: a teacher that learnt"
            " the labels of one knows those of test nodes of the others; give logits for each seed,"
            " or a graph with a split of its own"
        )


def _agree(one: tuple[Task, Trained], other: tuple[Task, Trained]) -> bool:
    """True if the logits of both are the same on the nodes that both observe."""
    both = np.intersect1d(one[0].observed, other[0].observed, assume_unique=True)
    ours, theirs = (
        teacher.observed_logits[np.searchsorted(task.observed, both)]
        for task, teacher in (one, other)
    )
    return np.array_equal(ours, theirs)
