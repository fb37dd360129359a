"""Reads a finished run back, one seed at a time: its task, its student and its soft labels.

Nothing is trained. The student needs nothing but the run's folder, wherever that lies; the soft
labels need the cached teacher too. A file that is not as the run wrote it, a graph or split that
has changed since the run, or a teacher that is no longer cached, is an error and never gives a
different number. So is a student or teacher that scores otherwise than ``result.json`` says.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gkd_runner.common.errors import DamageError, DataError, RunError
from gkd_runner.common.reading import reading
from gkd_runner.common.tensor_files import read_tensors
from gkd_runner.config.stored import AGAIN, read_config
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import FloatArray, GraphData, IntArray
from gkd_runner.data.npz import read_npz
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task
from gkd_runner.methods import build_method
from gkd_runner.methods.base import Method
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp, build_student
from gkd_runner.options.schema import Config
from gkd_runner.results.scores import SeedResult
from gkd_runner.results.scoring import scores
from gkd_runner.results.stored import (
    CONFIG_FILE,
    GRAPH_FILE,
    RESULT_FILE,
    StoredRun,
    load_run,
    output_dir_of,
    student_file,
    student_key,
    warn_of_unsealed,
)
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained
from gkd_runner.training.student_data import StudentData, answers
from gkd_runner.training.teacher_files import load_teacher, teacher_file

CPU = torch.device("cpu")

TOLERANCE = 0.005
"""Largest change of accuracy that rounding on another device or torch version explains."""


@dataclass(frozen=True, eq=False)
class Logits:
    """Logits of the observed nodes ``[n_observed, C]`` and the hidden nodes ``[n_hidden, C]``."""

    observed: FloatArray
    hidden: FloatArray

    @cached_property
    def all(self) -> FloatArray:
        """The logits of all nodes, in the order of ``ReloadedSeed.nodes``."""
        return np.concatenate([self.observed, self.hidden])


@dataclass(frozen=True, eq=False)
class ReloadedStudent:
    """One seed's student as its run left it: weights by name, and logits.

    ``method`` is the variant that the seed has kept.
    """

    run: StoredRun
    config: Config
    method: Method[Any]
    result: SeedResult
    task: Task
    state: Mapping[str, Tensor]
    student: Logits

    @cached_property
    def nodes(self) -> IntArray:
        """The nodes that have logits: the observed ones, then the hidden ones."""
        return np.concatenate([self.task.observed, self.task.hidden])


@dataclass(frozen=True, eq=False)
class ReloadedSeed(ReloadedStudent):
    """One seed as its run left it, with its soft labels."""

    soft_labels: SoftLabels

    @cached_property
    def teacher(self) -> Logits:
        """The teacher's calibrated logits."""
        labels = self.soft_labels
        hidden = labels.teacher.hidden_logits / np.float32(labels.temperature)
        return Logits(labels.logits, hidden)


def reload_run(
    path: str | Path, seed: int | None = None, moved: Mapping[str, str] = MappingProxyType({})
) -> ReloadedSeed:
    """Read ``seed`` of the finished run in folder ``path`` with its soft labels.

    Arguments and errors are those of ``reload_student``; raises ``RunError`` also if the teacher is
    no longer cached.
    """
    reloaded = reload_student(path, seed, moved)
    return ReloadedSeed(**vars(reloaded), soft_labels=soft_labels_of(reloaded))


def reload_student(
    path: str | Path, seed: int | None = None, moved: Mapping[str, str] = MappingProxyType({})
) -> ReloadedStudent:
    """Read the student of ``seed`` of the finished run in folder ``path``.

    Without ``seed`` it is the run's first. The graph is the copy in the run's folder. ``moved``
    replaces the options of folders and files (``cache_dir``, ``data_dir``, ``dataset.path``). The
    student is evaluated on the CPU. Raises ``RunError`` if there is no finished run, if it lacks
    the seed, or if graph or split have changed; ``DataError`` if the graph cannot be read.
    """
    path = Path(path).expanduser()
    run = _finished(path)
    result = _seed(run, seed)
    config = read_config(_checked(run, CONFIG_FILE), moved)
    graph = _graph(run, config, moved)
    task = make_task(graph, config, *result.replica)
    if task.split.fingerprint != result.split_hash:
        raise RunError(
            f"{path}: gkd-runner draws another split for seed {result.seed} now than it did for"
            " this run; run it again"
        )
    state = _read_student(run, result.seed)
    method = build_method(config.method).chosen(run.method_facts(result))
    student = _student_logits(method, config, task, state)
    if problem := _differs("student", task, student, result):
        raise RunError(f"{path}: {problem}: its weights or the code have changed since; {AGAIN}")
    return ReloadedStudent(run, config, method, result, task, state, student)


def _differs(stage: str, task: Task, logits: Logits, result: SeedResult) -> str:
    """Say how far the logits score otherwise than the run; empty if they do not."""
    again = scores(task, logits.observed, logits.hidden).test
    before: float = getattr(result, stage).scores.test
    allowed = max(TOLERANCE, 1.5 / result.test_nodes)  # of few nodes, one may flip by rounding
    if abs(again - before) <= allowed:
        return ""
    return (
        f"the {stage} of seed {result.seed} scores {100 * again:.2f}% now and {100 * before:.2f}%"
        " in result.json"
    )


def _finished(path: Path) -> StoredRun:
    if not (path / "config.yaml").is_file():
        raise RunError(f"{path} is not the folder of a run: {_not_a_run(path)}")
    try:
        run = load_run(path)
    except FileNotFoundError as error:
        raise RunError(
            f"{path} is not finished: it has no {RESULT_FILE}, which a run writes last"
        ) from error
    except DamageError as error:
        raise RunError(f"{path / RESULT_FILE} cannot be used ({error}); {AGAIN}") from error
    if not run.is_sealed:
        warn_of_unsealed(str(path))
    return run


def _checked(run: StoredRun, name: str, instead: str = "") -> Path:
    """The run's file of this name. Raises ``RunError`` if it is not as the run wrote it."""
    file = run.path / name
    with reading(file, instead + AGAIN, RunError):
        run.check_file(name)
    return file


def _not_a_run(path: Path) -> str:
    """Say what ``path`` is instead, and where a run may be."""
    if path.is_file():
        return f"it is a file; give the folder {path.parent}"
    runs = sorted(file.parent for file in path.glob("*/result.json"))
    if runs:
        return f"it has no config.yaml; its newest run is {runs[-1]}"
    why = "it has no config.yaml" if path.is_dir() else "there is none of this name"
    return (
        f"{why}; give one like outputs/runs/<dataset>/<protocol>-<setting>/<teacher>/<method>/"
        "<run id>, which gkd-train names in its last lines"
    )


def _seed(run: StoredRun, wanted: int | None) -> SeedResult:
    for result in run.seeds:
        if wanted is None or result.seed == wanted:
            return result
    listed = ", ".join(str(result.seed) for result in run.seeds)
    raise RunError(f"seed {wanted} is not in {run.path}, which has {listed}")


def _graph(run: StoredRun, config: Config, moved: Mapping[str, str]) -> GraphData:
    """The run's graph: from its own folder, or, if it is not there, as the run found it.

    A folder or file in ``moved`` goes before the run's own.
    """
    own = run.path / GRAPH_FILE
    if own.is_file() and not moved.keys() & {"data_dir", "dataset.path"}:
        instead = "give data_dir=... or dataset.path=... of the file that the run read, or "
        return _same_graph(run, read_npz(_checked(run, GRAPH_FILE, instead), config.dataset.name))
    try:
        graph = load_dataset(config.dataset, config.protocol, config.data_dir)
    except DataError as error:
        raise RunError(
            f"{run.path} has no {GRAPH_FILE}, and its graph {config.dataset.name} is not where the"
            f" run found it: {error}; give dataset.path=... or data_dir=..."
        ) from error
    return _same_graph(run, graph)


def _same_graph(run: StoredRun, graph: GraphData) -> GraphData:
    before = run.raw["graph"]["fingerprint"]
    if graph.fingerprint != before:
        raise RunError(
            f"{run.path}: the graph {graph.name} is not the one of this run (its fingerprint is"
            f" {graph.fingerprint[:12]}, the run's {before[:12]}); give data_dir=... or"
            " dataset.path=... of the file that the run read, or run it again"
        )
    return graph


def soft_labels_of(reloaded: ReloadedStudent) -> SoftLabels:
    """The soft labels of a reloaded student.

    Raises ``RunError`` if its teacher is not cached, if the file is damaged, or if it scores
    otherwise than the run's.
    """
    run, config, result = reloaded.run, reloaded.config, reloaded.result
    key = run.teacher_keys[run.seeds.index(result)]
    file = _teacher_file(run, config, key)
    problem = f"the teacher of seed {result.seed}, {file}, is not there"
    if file.is_file():
        try:
            teacher = load_teacher(file, key, sealed=run.is_sealed)
            problem = _other_teacher(teacher, reloaded.task, result)
        except (OSError, DamageError) as error:
            problem = f"the teacher of seed {result.seed}, {file}, is damaged ({error})"
        if not problem:
            return SoftLabels(teacher, key, cached=True, temperature=result.temperature)
    keep = " cache=use" if config.cache == "off" else ""
    raise RunError(
        f"{problem}; give cache_dir=... if it lies elsewhere, or train it anew by the command of"
        f" the run with rerun=true: `{shlex.join(run.raw['command'])} rerun=true{keep}`"
    )


def _other_teacher(teacher: Trained, task: Task, result: SeedResult) -> str:
    """Say why the teacher cannot be the one of this seed; empty if it can."""
    logits = Logits(teacher.observed_logits, teacher.hidden_logits)
    shapes = [each.shape for each in (logits.observed, logits.hidden)]
    expected = [(len(ids), task.graph.num_classes) for ids in (task.observed, task.hidden)]
    if shapes != expected:
        return f"the teacher of seed {result.seed} has logits of {shapes}, not of {expected}"
    return _differs("teacher", task, logits, result)


def _teacher_file(run: StoredRun, config: Config, key: str) -> Path:
    """The cached teacher in ``cache_dir``, or in the output folder that the run lies in now."""
    file = teacher_file(Path(config.cache_dir).expanduser(), key)
    beside = teacher_file(output_dir_of(run) / "cache" / "teachers", key)
    return beside if beside.is_file() and not file.is_file() else file


def _read_student(run: StoredRun, seed: int) -> dict[str, Tensor]:
    name = student_file(seed)
    file = _checked(run, name)
    with reading(file, AGAIN, RunError):
        arrays, _ = read_tensors(file, student_key(run.key, seed), sealed=run.is_sealed)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _student_logits(
    method: Method[Any], config: Config, task: Task, state: Mapping[str, Tensor]
) -> Logits:
    """Evaluate as in training: hidden nodes get features of the whole graph."""
    model = _student(config, task, state)
    data = StudentData.of([task], method, CPU, config.student, config.training.batch_size)
    with torch.no_grad():
        observed = answers(model, data.everything)
        hidden = answers(model, data.hidden) if len(task.hidden) else observed[:, :0]
    return Logits(observed[0].numpy(), hidden[0].numpy())


def _student(config: Config, task: Task, state: Mapping[str, Tensor]) -> Mlp:
    init = Initializer([task.seed], "student initialisation")
    graph = task.graph
    model = build_student(config.student, graph.num_features, graph.num_classes, init)
    model.load_state_dict({name: value.unsqueeze(0) for name, value in state.items()})
    return model
