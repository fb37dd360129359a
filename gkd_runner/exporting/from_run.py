"""A student that answers from a run's folder, and what it needs to be exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.common.errors import ConfigError
from gkd_runner.data.graph import FloatArray, GraphData, IntArray
from gkd_runner.exporting.facts import base_facts
from gkd_runner.graph.features import Features
from gkd_runner.predict.folder import facts_of
from gkd_runner.predict.layers import Layer, later_layers, layers_of, mean_answer
from gkd_runner.predict.student import Student
from gkd_runner.results.scores import Scores, val_score
from gkd_runner.results.scoring import scores
from gkd_runner.results.stored import read_run
from gkd_runner.runs.reload import ReloadedStudent, reload_student


def student_of_run(
    path: str | Path, seed: int | None = None, moved: Mapping[str, str] = MappingProxyType({})
) -> RunStudent:
    """The student of ``seed`` of the run in folder ``path``; by default its best by validation.

    ``moved`` and errors are those of ``reload_student``.
    """
    path = Path(path).expanduser()
    return RunStudent([reload_student(path, best_seed(path) if seed is None else seed, moved)])


def ensemble_of_run(
    path: str | Path, moved: Mapping[str, str] = MappingProxyType({})
) -> RunStudent:
    """The mean answer of the students of all seeds of the run in folder ``path``.

    Raises ``ConfigError`` for a run with one seed, or whose seeds read different features.
    """
    path = Path(path).expanduser()
    first = reload_student(path, None, moved)
    seeds = [result.seed for result in first.run.seeds]
    if len(seeds) == 1:
        raise ConfigError([f"an ensemble needs several seeds; {path} has one, {seeds[0]}"])
    students = [first, *(reload_student(path, seed, moved) for seed in seeds[1:])]
    ways = {str(student.method.propagation) for student in students}
    if len(ways) > 1:
        raise ConfigError(
            [
                f"the students in {path} read features of different propagation, which an ensemble"
                f" cannot: {', '.join(sorted(ways))}; give one seed"
            ]
        )
    return RunStudent(students)


def best_seed(path: Path) -> int | None:
    """The seed with the best validation score, by the metric that selected its epochs.

    ``None`` if ``path`` is no finished run.
    """
    run = read_run(path) if path.is_dir() else None
    if run is None:
        return None
    return max(run.seeds, key=lambda seed: val_score([seed], run.select_by)).seed


@dataclass(frozen=True, eq=False)
class Inputs:
    """The features that a student reads: those of all nodes, and those of the observed ones."""

    whole: Features
    observed: Features
    propagated: bool


class RunStudent(Student):
    """Answers as the run itself evaluates its student.

    In an inductive run the observed nodes read features of the observed graph and all others
    those of the whole graph. An ensemble, whose seeds hide different nodes, reads the whole graph.
    """

    def __init__(self, seeds: Sequence[ReloadedStudent]) -> None:
        self.seeds = seeds
        self.task = seeds[0].task
        method = seeds[0].method
        whole = method.features(self.task.graph)
        self._cut = len(seeds) == 1 and not self.task.observes_all
        observed = method.features(self.task.training_graph) if self._cut else whole
        raw = whole.operator is None and whole.base is self.task.graph.features
        self.inputs = Inputs(whole, observed, not raw)
        super().__init__(facts_of(base_facts(seeds, method.propagation, propagated=not raw)))

    @cached_property
    def graph(self) -> GraphData:
        """The graph; its only split is the run's, if all seeds share it."""
        shared = len({seed.task.split.fingerprint for seed in self.seeds}) == 1
        return replace(self.task.graph, splits=(self.task.split,) if shared else ())

    @cached_property
    def table(self) -> npt.NDArray[Any]:
        whole = self.inputs.whole
        if not self._cut:
            return whole.dense()
        table = np.empty(whole.shape, dtype=np.float32)
        table[self.task.observed] = self.inputs.observed.dense()
        rest = np.setdiff1d(np.arange(len(table)), self.task.observed)
        table[rest] = whole.rows(rest).dense()
        return table

    @cached_property
    def models(self) -> Sequence[Sequence[Layer]]:
        return [
            layers_of({name: value.numpy() for name, value in seed.state.items()})
            for seed in self.seeds
        ]

    @property
    def observed(self) -> npt.NDArray[np.bool_] | None:
        if not self._cut or not self.inputs.propagated:
            return None
        observed = np.zeros(self.task.graph.num_nodes, dtype=np.bool_)
        observed[self.task.observed] = True
        return observed

    def probabilities(self, x: FloatArray) -> FloatArray:
        return mean_answer(later_layers(layers, x @ layers[0][0]) for layers in self.models)

    def scores(self, probabilities: FloatArray) -> Scores | None:
        """Accuracies of answers for all nodes; ``None`` if the seeds do not share their split.

        Nodes that one seed tests may be another one's training nodes then.
        """
        if not self.graph.splits:
            return None
        if len(self.seeds) == 1:
            return scores(self.task, probabilities[self.task.observed], probabilities[self.hidden])
        split, right = self.task.split, probabilities.argmax(1) == self.graph.labels
        val, test = (float(right[nodes].mean()) for nodes in (split.val, split.test))
        return Scores(val, test, None, test)

    @property
    def hidden(self) -> IntArray:
        """The nodes that the run hid during training."""
        return self.task.hidden
