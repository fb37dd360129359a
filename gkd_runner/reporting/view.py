"""One group of comparable results, as tables and figures look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gkd_runner.reporting.compare import (
    DATASETS,
    METHODS,
    SETTINGS,
    TEACHERS,
    Group,
    Place,
    Result,
    in_order,
)
from gkd_runner.reporting.rows import Row

PARTS = {"tran": "observed test nodes", "ind": "hidden nodes", "prod": "all test nodes"}


@dataclass(frozen=True)
class View:
    """One group's selected results, and which test nodes an inductive accuracy is over."""

    group: Group
    results: dict[Place, dict[str, Result]]
    inductive_part: str
    failed: frozenset[tuple[str, ...]]

    def part(self, setting: str) -> str:
        """The accuracy shown for a setting; transductive tests know but one."""
        return self.inductive_part if setting == "inductive" else "prod"

    @property
    def datasets(self) -> list[str]:
        """The columns."""
        return in_order((place.dataset for place in self.results), DATASETS)

    def blocks(self) -> Iterator[tuple[str, str, list[str]]]:
        """Setting, teacher and methods of each block that has results."""
        for setting in in_order((place.setting for place in self.results), SETTINGS):
            here = [place for place in self.results if place.setting == setting]
            for teacher in in_order((place.teacher for place in here), TEACHERS):
                found = [self.results[place] for place in here if place.teacher == teacher]
                methods = {method for results in found for method in results}
                yield setting, teacher, in_order(methods, METHODS)


def mean_std(result: Result, stage: str, part: str) -> str:
    """``82.10±0.53 (5)``: accuracy in %, population std over seeds, number of seeds."""
    accuracies = [100 * value for value in result.values(stage, part).values()]
    if not accuracies:
        return "no such nodes"
    spread = f"±{np.std(accuracies):.2f}" if len(accuracies) > 1 else ""
    return f"{np.mean(accuracies):.2f}{spread} ({len(accuracies)})"


def runs_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """The distinct runs that rows come from."""
    return tuple(dict.fromkeys(row.run for row in rows))
