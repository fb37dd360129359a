from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gkd_runner.training.fit import BatchLoss, Epoch, Fitted, Schedule, Stopping, Validation, fit

SCHEDULE = Schedule(
    stage="student", learning_rate=0.05, weight_decay=0.01, max_epochs=12, patience=3
)
DIP = [0.1, 0.5, 0.5, 0.4, 0.3, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]
"""Best at epoch 3 for patience 3: the better epochs come after the stop at 6."""
RISE = [epoch / 100 for epoch in range(1, 13)]


class Scripted:
    """A small regression per replica whose validation accuracies are written down beforehand."""

    def __init__(self, accuracies: Sequence[Sequence[float]], targets: Sequence[float]) -> None:
        generator = torch.Generator().manual_seed(0)
        self.model = nn.Module()
        start = torch.randn(1, 4, generator=generator).expand(len(targets), -1).clone()
        self.model.weight = nn.Parameter(start)
        self.model.bias = nn.Parameter(torch.zeros(len(targets), 1, 2))
        self._targets = torch.tensor(targets)
        self._accuracies = torch.tensor(accuracies, dtype=torch.float64)
        self._epoch = 0

    def losses(self, epoch: int) -> Iterator[BatchLoss]:
        yield BatchLoss(self.loss(epoch), 1.0)

    def loss(self, epoch: int) -> Tensor:
        assert epoch == self._epoch + 1
        self._epoch = epoch
        error = self.model.weight - self._targets.unsqueeze(1)
        return (error**4).mean(1) + (self.model.bias - 1).square().mean((1, 2))

    def validate(self) -> Validation:
        assert not torch.is_grad_enabled()
        return Validation(self._accuracies[:, self._epoch - 1], torch.zeros(len(self._targets)))

    def logged(self) -> dict[str, Tensor]:
        return {"own": 10 * self._targets + self._epoch}

    def state(self, replica: int) -> list[Tensor]:
        return [parameter[replica].detach().clone() for parameter in self.model.parameters()]


class Diverging(Scripted):
    """Its first replica's loss is not a number from the given epoch on."""

    bad_epoch = 5

    def loss(self, epoch: int) -> Tensor:
        loss = super().loss(epoch)
        poison = torch.zeros_like(loss)
        poison[0] = math.nan if epoch >= self.bad_epoch else 0.0
        return loss * (1 + poison)


def trained(
    accuracies: Sequence[Sequence[float]],
    targets: Sequence[float] = (2.0, -1.0, 0.5),
    schedule: Schedule = SCHEDULE,
    kind: type[Scripted] = Scripted,
) -> tuple[Scripted, Fitted]:
    lesson = kind(accuracies, targets[: len(accuracies)])
    return lesson, fit(lesson, schedule, range(len(accuracies)), lambda *_: None)


def stop_at(accuracies: Sequence[float], patience: int) -> tuple[int, int]:
    """Best and last epoch under the rule, found by looking at all epochs so far each time."""
    for epoch in range(1, len(accuracies) + 1):
        so_far = accuracies[:epoch]
        best = max(e for e in range(1, epoch + 1) if so_far[e - 1] == max(so_far))
        if epoch - best == patience:
            return best, epoch
    return best, epoch


def curves(count: int) -> list[list[float]]:
    """Coarse random walks: many ties."""
    rng = np.random.default_rng(0)
    return (rng.integers(0, 5, (count, 12)) / 4).tolist()


@pytest.mark.parametrize("patience", [1, 3, 20])
@pytest.mark.parametrize("curve", [DIP, RISE, [0.0] * 12, [0.5, *[0.4] * 11], *curves(20)])
def test_the_chosen_and_the_last_epoch_follow_the_rule(curve: list[float], patience: int) -> None:
    _, fitted = trained([curve], schedule=replace(SCHEDULE, patience=patience))
    best, last = stop_at(curve, patience)
    assert fitted.best_epoch == [best]
    assert [record.epoch for record in fitted.history[0]] == list(range(1, last + 1))


def test_ties_go_to_the_later_epoch() -> None:
    stopping = Stopping(patience=2)
    assert [stopping.see(epoch, 0.5) for epoch in (1, 2, 3)] == [True] * 3
    assert stopping.best_epoch == 3
    assert not stopping.see(4, 0.4)
    assert stopping.running
    assert not stopping.see(5, 0.4)
    assert not stopping.running


@pytest.mark.parametrize("curve", [DIP, RISE, *curves(3)])
def test_the_model_is_left_in_the_state_of_its_best_epoch(curve: list[float]) -> None:
    lesson, fitted = trained([curve])
    brute_force, _ = trained([RISE], schedule=replace(SCHEDULE, max_epochs=fitted.best_epoch[0]))
    for found, expected in zip(lesson.state(0), brute_force.state(0), strict=True):
        assert torch.equal(found, expected)


def test_a_stopped_replica_does_not_change_while_others_go_on() -> None:
    together, fitted = trained([DIP, RISE, [0.9, *[0.1] * 11]])
    assert fitted.best_epoch == [3, 12, 1]
    assert [len(history) for history in fitted.history] == [6, 12, 4]
    for replica, target in enumerate((2.0, -1.0, 0.5)):
        curve = [DIP, RISE, [0.9, *[0.1] * 11]][replica]
        alone, fitted_alone = trained([curve], targets=[target])
        assert fitted_alone.best_epoch == [fitted.best_epoch[replica]]
        for found, expected in zip(together.state(replica), alone.state(0), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-6)


def test_each_epoch_is_reported_for_the_replicas_that_still_train() -> None:
    seen: list[tuple[int, list[Epoch | None]]] = []
    lesson = Scripted([DIP, RISE], [2.0, -1.0])
    fitted = fit(
        lesson, SCHEDULE, [7, 8], lambda _, epoch, records: seen.append((epoch, list(records)))
    )
    assert [epoch for epoch, _ in seen] == list(range(1, 13))
    assert [records[0] for _, records in seen[:6]] == fitted.history[0]
    assert [records[0] for _, records in seen[6:]] == [None] * 6
    assert [records[1] for _, records in seen] == fitted.history[1]


def test_the_history_holds_the_accuracies_that_were_seen() -> None:
    _, fitted = trained([DIP])
    seen = [record.val_accuracy for record in fitted.history[0]]
    np.testing.assert_allclose(seen, DIP[: len(seen)], rtol=1e-6)


def test_a_loss_that_is_not_a_number_stops_its_replica_and_changes_no_bit_of_the_others() -> None:
    seen: list[list[bool]] = []
    lesson = Diverging([RISE, DIP, RISE], [2.0, -1.0, 0.5])
    fitted = fit(
        lesson, SCHEDULE, [0, 1, 2], lambda *told: seen.append([one is not None for one in told[2]])
    )
    sound, expected = trained([RISE, DIP, RISE])

    assert [one and one.epoch for one in fitted.diverged] == [5, None, None]
    assert math.isnan(fitted.diverged[0].loss)
    assert [len(history) for history in fitted.history] == [4, 6, 12]
    assert [told[0] for told in seen] == [True] * 4 + [False] * 8
    assert fitted.history[1:] == expected.history[1:]
    for replica in (1, 2):
        for found, same in zip(lesson.state(replica), sound.state(replica), strict=True):
            assert torch.equal(found, same)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_any_recorded_value_that_is_not_finite_stops_its_replica(value: float) -> None:
    class Logging(Scripted):
        def logged(self) -> dict[str, Tensor]:
            return {"own": torch.tensor([1.0, value if self._epoch == 2 else 1.0])}

    class Validating(Scripted):
        def validate(self) -> Validation:
            loss = torch.tensor([1.0, value if self._epoch == 2 else 1.0])
            return super().validate()._replace(loss=loss)

    for kind in (Logging, Validating):
        _, fitted = trained([RISE, RISE], kind=kind)
        assert [one and one.epoch for one in fitted.diverged] == [None, 2]
        assert [len(history) for history in fitted.history] == [12, 1]


def test_training_ends_when_all_replicas_have_diverged() -> None:
    class AllDiverging(Scripted):
        def loss(self, epoch: int) -> Tensor:
            return super().loss(epoch) * math.inf

    epochs: list[int] = []
    lesson = AllDiverging([RISE, RISE], [2.0, -1.0])
    fitted = fit(lesson, SCHEDULE, [0, 1], lambda _, epoch, __: epochs.append(epoch))
    assert epochs == [1]
    assert fitted.history == [[], []]


def test_a_stopped_replica_may_diverge_without_harm_to_anyone() -> None:
    class LateDiverging(Diverging):
        bad_epoch = 7  # DIP has stopped at 6

    together, fitted = trained([DIP, RISE], kind=LateDiverging)
    assert fitted.best_epoch == [3, 12]
    for replica, target in enumerate((2.0, -1.0)):
        alone, _ = trained([[DIP, RISE][replica]], targets=[target])
        for found, expected in zip(together.state(replica), alone.state(0), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-6)


def test_values_that_a_lesson_logs_stand_with_their_replica_and_epoch() -> None:
    _, fitted = trained([DIP, RISE])

    for target, history in zip((2.0, -1.0), fitted.history, strict=True):
        logged = [epoch.logged for epoch in history]
        assert logged == [(("own", 10 * target + n + 1),) for n in range(len(history))]
