"""What the students of a method cost: time to answer and time to train."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gkd_runner.common.lazy import pd


@dataclass(frozen=True)
class Cost:
    """The costs of one method in one place.

    Attributes:
        speed_up: how many times as fast as its teacher a student answers for one node: the median
            over replicas; ``None`` where no answer was timed. A ratio of two times of one run, as
            the machine may have been busy during one run and idle during another. The seeds of a
            run share its teacher's time, and those that kept one variant that of their students.
            The propagation of a student's features is not in its time.
        training: seconds of training one student by the wall clock: the mean over replicas. Runs
            that shared a machine took longer than they would have alone.
    """

    speed_up: float | None
    training: float


def costs_of(runs: pd.DataFrame) -> dict[str, Cost]:
    """The costs of each method of ``runs``, which are of one place."""
    return {str(method): _cost(rows) for method, rows in runs.groupby("method", sort=False)}


def _cost(rows: pd.DataFrame) -> Cost:
    speed_up = (rows["teacher_answer_seconds"] / rows["student_answer_seconds"]).median()
    timed = None if math.isnan(speed_up) else float(speed_up)
    return Cost(timed, float(rows["student_seconds"].mean()))
