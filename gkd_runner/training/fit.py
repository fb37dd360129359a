"""The one fit loop, for teachers and students alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gkd_runner.common.memory import keep_freed_memory
from gkd_runner.common.processes import ALONE, ProcessGroup
from gkd_runner.options.schema import StudentConfig, TeacherConfig, TrainingConfig
from gkd_runner.training.adam import Adam


class Validation(NamedTuple):
    """One epoch's evaluation on the validation nodes, per replica; all but losses in float64.

    ``others`` has the metric that selects the epoch, by its name, unless that is accuracy.
    """

    accuracy: Float[Tensor, " R"]
    loss: Float[Tensor, " R"]
    others: Mapping[str, Float[Tensor, " R"]] = MappingProxyType({})


class BatchLoss(NamedTuple):
    """The loss that one step descends, per replica, and the batch's share of the epoch's nodes.

    The loss estimates that of all nodes, so that the weight decay counts as in a full batch. The
    mean of an epoch's losses, weighted by these shares, is recorded.
    """

    loss: Float[Tensor, " R"]
    share: float


@runtime_checkable
class Lesson(Protocol):
    """A model with its training loss and its validation; the loop trains it."""

    @property
    def model(self) -> nn.Module:
        """The module whose parameters are trained, each ``[R, ...]``."""

    def losses(self, epoch: int) -> Iterator[BatchLoss]:
        """The training losses of ``epoch`` (from 1), with dropout; a step follows each of them."""

    def validate(self) -> Validation:
        """Accuracy, cross-entropy and what else selects, on the validation nodes, no dropout."""

    def logged(self) -> Mapping[str, Float[Tensor, " R"]]:
        """Further values to record with this epoch, by name."""


@dataclass(frozen=True)
class Schedule:
    """Optimiser and stopping rule of one stage; ``select_by`` names the metric of the rule."""

    stage: str
    learning_rate: float
    weight_decay: float
    max_epochs: int
    patience: int
    select_by: str = "accuracy"

    @staticmethod
    def of(stage: str, model: TeacherConfig | StudentConfig, training: TrainingConfig) -> Schedule:
        """The schedule of ``stage`` as configured."""
        return Schedule(
            stage, model.learning_rate, model.weight_decay, training.max_epochs, training.patience,
            training.select_by,
        )  # fmt: skip


class Epoch(NamedTuple):
    """The record of one epoch of one seed.

    ``logged`` has the values that a method adds, and ``val_<metric>`` of the metric that selects
    the epoch, unless that is accuracy.
    """

    epoch: int
    loss: float
    val_loss: float
    val_accuracy: float
    logged: tuple[tuple[str, float], ...] = ()

    def val(self, metric: str) -> float:
        """The validation score by accuracy, or by the metric that selects."""
        return {"val_accuracy": self.val_accuracy, **dict(self.logged)}[f"val_{metric}"]


@dataclass(frozen=True)
class Fitted:
    """Per replica: the chosen epoch and every epoch up to the stop.

    ``diverged`` is the epoch with a value that is no finite number, which ended the replica's
    training and is not in ``history``; ``None`` for a replica without one.
    """

    best_epoch: list[int]
    history: list[list[Epoch]]
    diverged: list[Epoch | None]
    seconds: float


OnEpochs = Callable[[Sequence[int], int, Sequence[Epoch | None]], None]
"""Called with seeds, epoch, and each seed's record (``None`` once it has stopped)."""


def fit(
    lesson: Lesson,
    schedule: Schedule,
    seeds: Sequence[int],
    on_epochs: OnEpochs,
    processes: ProcessGroup = ALONE,
) -> Fitted:
    """Train until every replica has stopped; leave the best state in ``lesson.model``.

    Each replica keeps the epoch with its best validation score, ties to the later one, and
    stops after ``patience`` epochs without a better or equal one, or at a value that is not finite.
    A stopped replica keeps its best state while the others go on. Losses and gradients are summed
    over the processes, and the first process's validation counts for all.
    """
    started = time.perf_counter()
    keep_freed_memory()
    parameters = list(lesson.model.parameters())
    optimizer = Adam(parameters, schedule.learning_rate, schedule.weight_decay, processes)
    stopping = [Stopping(schedule.patience) for _ in seeds]
    best = [parameter.detach().clone() for parameter in parameters]
    history: list[list[Epoch]] = [[] for _ in seeds]
    for epoch in range(1, schedule.max_epochs + 1):
        loss = _steps(lesson, optimizer, epoch)
        with torch.no_grad():
            validation = lesson.validate()
        others = {f"val_{name}": score for name, score in validation.others.items()}
        logged = {**lesson.logged(), **others}
        rows = [loss, validation.loss, validation.accuracy, *logged.values()]
        table = _agreed(torch.stack([row.double() for row in rows]), processes)
        columns = table.T.tolist()  # the one copy to the host
        records = [
            stop.sound(_record(epoch, logged, column)) if stop.running else None
            for stop, column in zip(stopping, columns, strict=True)
        ]
        improved = [
            record is not None and stop.see(record.epoch, record.val(schedule.select_by))
            for stop, record in zip(stopping, records, strict=True)
        ]
        _keep(best, parameters, improved)
        for log, record in zip(history, records, strict=True):
            log += [record] if record else []
        on_epochs(seeds, epoch, records)
        if not any(stop.running for stop in stopping):
            break
    _restore(parameters, best)
    return Fitted(
        [stop.best_epoch for stop in stopping],
        history,
        [stop.diverged for stop in stopping],
        time.perf_counter() - started,
    )


class Stopping:
    """One replica's early stopping, which also ends a training that diverges."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best_epoch = 0
        self.diverged: Epoch | None = None
        self._best = -1.0
        self._waited = 0

    @property
    def running(self) -> bool:
        return self._waited < self.patience and self.diverged is None

    def sound(self, record: Epoch) -> Epoch | None:
        """The record; ``None`` if one of its values is not finite, which stops the replica."""
        if all(map(math.isfinite, (*record[1:4], *dict(record.logged).values()))):
            return record
        self.diverged = record
        return None

    def see(self, epoch: int, score: float) -> bool:
        """Take note of an epoch's validation score; True if none was better."""
        if score >= self._best:
            self._best, self.best_epoch, self._waited = score, epoch, 0
            return True
        self._waited += 1
        return False


def _steps(lesson: Lesson, optimizer: Adam, epoch: int) -> Float[Tensor, " R"]:
    """Take the steps of one epoch; return its mean loss."""
    means = []
    for loss, share in lesson.losses(epoch):
        optimizer.step(loss)
        means.append(share * loss.detach())
    return torch.stack(means).sum(0)


def _agreed(table: Float[Tensor, "k R"], processes: ProcessGroup) -> Float[Tensor, "k R"]:
    """The sum of the processes' losses (row 0), and all other rows of the first process."""
    if not processes.first:
        table[1:] = 0
    return processes.add([table])[0]


def _record(epoch: int, logged: Iterable[str], column: Sequence[float]) -> Epoch:
    loss, val_loss, val_accuracy, *others = column
    return Epoch(epoch, loss, val_loss, val_accuracy, tuple(zip(logged, others, strict=True)))


def _keep(best: list[Tensor], parameters: list[nn.Parameter], improved: Sequence[bool]) -> None:
    """Copy the parameters of the replicas that improved."""
    if not any(improved):
        return
    with torch.no_grad():
        if all(improved):
            torch._foreach_copy_(best, list(parameters))
            return
        mask: Bool[Tensor, " R"] = torch.tensor(improved, device=best[0].device)
        for kept, parameter in zip(best, parameters, strict=True):
            shape = (-1,) + (1,) * (kept.dim() - 1)
            kept.copy_(torch.where(mask.view(shape), parameter, kept))


def _restore(parameters: list[nn.Parameter], best: list[Tensor]) -> None:
    with torch.no_grad():
        torch._foreach_copy_(list(parameters), best)
