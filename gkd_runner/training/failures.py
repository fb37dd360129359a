"""Seeds that fail in training, while the others of the job go on. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gkd_runner.common.errors import TrainingError


@dataclass(frozen=True)
class SeedFailure:
    """One seed and split that has no result: its ``stage`` failed at ``epoch`` (from 1)."""

    seed: int
    split: int
    stage: str
    epoch: int
    cause: str

    def __str__(self) -> str:
        split = f" split {self.split}" if self.split else ""
        return f"{self.stage} of seed {self.seed}{split}: {self.cause}"


OnFailure = Callable[[SeedFailure], None]
"""Called with each seed that fails."""


class FailedSeedsError(TrainingError):
    """All seeds have failed."""

    def __init__(self, failures: Sequence[SeedFailure]) -> None:
        self.failures = tuple(failures)
        heading = ["no seed has finished:"] if len(failures) > 1 else []
        super().__init__("\n".join([*heading, *map(str, failures)]))


def raised(failure: SeedFailure) -> None:
    """Raise ``FailedSeedsError``, for those who need all seeds."""
    raise FailedSeedsError([failure])
