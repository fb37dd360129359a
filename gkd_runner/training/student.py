"""The student stage: distil soft labels into one MLP per seed, by the configured method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from gkd_runner.common.processes import ALONE, ProcessGroup
from gkd_runner.common.progress import tell_progress
from gkd_runner.data.graph import GraphData
from gkd_runner.data.task import Task
from gkd_runner.methods import build_method
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.objective import SoftTarget, cross_entropy, distillation
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp, build_student
from gkd_runner.models.streams import Streams
from gkd_runner.models.windows import WindowStreams
from gkd_runner.options.schema import Config
from gkd_runner.training.failures import OnFailure, SeedFailure, raised
from gkd_runner.training.fit import BatchLoss, Epoch, OnEpochs, Schedule, Validation, fit
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import (
    Trained,
    chunks,
    collect,
    label_target,
    own_rows,
    validation,
)
from gkd_runner.training.student_data import StudentBatch, StudentData, answers
from gkd_runner.training.teacher import ask_teacher
from gkd_runner.training.variants import best_finished, replay
from gkd_runner.training.watch import Watch, likely_cause, sharp_labels


class StudentLesson:
    """The one objective, on labels and soft labels or on labels alone.

    Without soft labels only the training nodes pass through the model; validation needs only
    its own nodes, unless the method watches the student on all of them.
    """

    def __init__(
        self,
        model: Mlp,
        method: Method[Any],
        data: StudentData,
        streams: Streams,
        select_by: str = "accuracy",
    ) -> None:
        self.model, self._method, self._streams = model, method, streams
        self._select_by = select_by
        self._lam, self._tau = method.config.lam, method.config.tau
        train = label_target(data.tasks, "train", data.device)
        train = replace(train, weights=method.label_weights(train.rows))
        val = label_target(data.tasks, "val", data.device)
        self._distils = method.config.uses_teacher
        self._batches = data.batches(train, self._distils)
        self._watches = self._distils and method.watches_student
        self._val_inputs = data.everything if self._watches else data.part("val")
        self._val = val if self._watches else own_rows(val)
        self._watched: Tensor | None = None

    def losses(self, epoch: int) -> Iterator[BatchLoss]:
        target = None
        if self._distils:
            target = self._method.soft_target(epoch, self._watched)
            assert target is not None, "config rules: a method without soft targets has lam = 1"
        for batch in self._batches:
            yield BatchLoss(self._loss(batch, target), batch.share)

    def _loss(self, batch: StudentBatch, target: SoftTarget | None) -> Float[Tensor, " R"]:
        streams = self._streams
        if batch.window is not None:
            streams = WindowStreams(streams, batch.window, self.model.dropped_widths)
        logits = self.model(batch.inputs, streams)
        total: Tensor = logits.new_zeros(logits.shape[0])
        if self._lam > 0:
            total = total + self._lam * cross_entropy(logits, batch.labels)
        if target is not None:
            total = total + (1 - self._lam) * distillation(logits, batch.of(target), self._tau)
        return total

    def validate(self) -> Validation:
        logits = answers(self.model, self._val_inputs)
        if self._watches:
            self._watched = logits
        return validation(logits, self._val, self._select_by)

    def logged(self) -> Mapping[str, Tensor]:
        return self._method.logged()


def train_all_students(
    tasks: Sequence[Task],
    soft_labels: Sequence[SoftLabels],
    config: Config,
    device: torch.device,
    replicas: int,
    on_epochs: OnEpochs,
    processes: ProcessGroup = ALONE,
    on_failure: OnFailure = raised,
) -> list[Trained]:
    """Train every seed's student, ``replicas`` at once; only the first process gets them.

    Those that fail are told and left out.
    """
    trained: list[Trained] = []
    for chunk in chunks(list(zip(tasks, soft_labels, strict=True)), replicas):
        trained += train_students(
            [task for task, _ in chunk],
            [labels for _, labels in chunk],
            config,
            device,
            on_epochs,
            processes,
            on_failure,
        )
    return trained


def train_students(
    tasks: Sequence[Task],
    soft_labels: Sequence[SoftLabels],
    config: Config,
    device: torch.device,
    on_epochs: OnEpochs,
    processes: ProcessGroup = ALONE,
    on_failure: OnFailure = raised,
) -> list[Trained]:
    """Train one student per task, all at once, on the soft labels of its teacher.

    Of a method with variants each is trained, and one is kept for each task (``best_variant``). The
    processes divide each mini-batch; only the first gets the students. Those that fail are told and
    left out.
    """
    variants = build_method(config.method).variants
    batch_size = config.training.batch_size
    several = len(variants) > 1
    trained: list[dict[int, Trained | SeedFailure]] = []  # of each variant, by seed
    for _, group in groupby(variants, key=attrgetter("propagation")):
        alike = list(group)
        data = StudentData.of(tasks, alike[0], device, config.student, batch_size, processes)
        for variant in alike:
            if several:
                tell_progress("variants", len(trained) / len(variants))
            if not several:
                return _train(variant, data, soft_labels, config, on_epochs, on_failure)
            failed: list[SeedFailure] = []
            done = _train(variant, data, soft_labels, config, _silent, failed.append)
            trained.append({**_by_seed(done), **_by_seed(failed)})
    tell_progress("variants", 1.0)
    if not processes.first:
        return []
    best = []
    for task in tasks:
        found = best_finished(task, variants, [own[task.seed] for own in trained], config)
        if isinstance(found, SeedFailure):
            on_failure(found)
        else:
            best.append(found)
    replay([student.seed for student in best], [student.history for student in best], on_epochs)
    return best


SeedT = TypeVar("SeedT", Trained, SeedFailure)


def _by_seed(seeds: Iterable[SeedT]) -> dict[int, SeedT]:
    return {one.seed: one for one in seeds}


def _silent(seeds: Sequence[int], epoch: int, records: Sequence[Epoch | None]) -> None:
    """Tell nothing of a variant, which may not be kept."""


def _train(
    method: Method[Any],
    data: StudentData,
    soft_labels: Sequence[SoftLabels],
    config: Config,
    on_epochs: OnEpochs,
    on_failure: OnFailure,
) -> list[Trained]:
    tasks, device, processes = data.tasks, data.device, data.processes
    seeds = [task.seed for task in tasks]
    graphs = [task.training_graph for task in tasks]
    classes = tasks[0].graph.num_classes
    logits = torch.stack([torch.from_numpy(labels.logits) for labels in soft_labels]).to(device)

    def answer(replica: int, graph: GraphData) -> Tensor:
        labels = soft_labels[replica]
        raw = ask_teacher(labels.teacher, config.gnn, config.training, graph, classes, device)
        return raw / labels.temperature

    method.prepare(Classroom(tasks, logits, config.training.max_epochs, answer))
    init = Initializer(seeds, "student initialisation")
    model = build_student(method.student(config.student), graphs[0].num_features, classes, init)
    model = model.to(device)
    streams = Streams(seeds, "student dropout", device)
    lesson = StudentLesson(model, method, data, streams, config.training.select_by)
    schedule = Schedule.of("student", config.student, config.training)
    fitted = fit(lesson, schedule, seeds, on_epochs, processes)
    if not processes.first:
        return []
    with torch.no_grad():
        observed = answers(model, data.everything)
        hidden = observed[:, :0]
        if len(tasks[0].hidden):
            hidden = answers(model, data.hidden)

    def blame(replica: int) -> str:
        sharp = sharp_labels(soft_labels[replica].logits, method.config.tau)
        return sharp or likely_cause(tasks[replica], schedule)

    watch = Watch(schedule.stage, blame, on_failure)
    students = collect(tasks, model, observed, hidden, fitted, watch)
    return [replace(one, facts=method.facts(seeds.index(one.seed))) for one in students]
