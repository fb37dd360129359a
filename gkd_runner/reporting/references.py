"""What the papers say and what their code gave, beside what was measured here.

``references.csv`` holds accuracies, ``claims.csv`` the papers' average gains; no other figure
is ever shown as published.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gkd_runner.reporting.compare import Difference, Group, Place, Result, Results, difference

TOLERANCE = 1.0
"""Points within which two accuracies agree, whatever their spread."""

FEWEST_GRAPHS = 3
"""Graphs below which an average says nothing about a claim over six or seven."""


@dataclass(frozen=True)
class Reference:
    """One accuracy (in %) of ``stage`` (teacher or student), published or from released code."""

    source: str
    kind: str
    protocol: str
    setting: str
    part: str
    dataset: str
    teacher: str
    method: str
    stage: str
    accuracy: float
    std: float | None
    seeds: str
    n: int

    @property
    def place(self) -> Place:
        """The column and block that it stands beside."""
        return Place(self.dataset, self.setting, self.teacher)


@dataclass(frozen=True)
class Claim:
    """A paper's average gain of ``method`` over ``over``, in points, in a setting or ``both``."""

    source: str
    method: str
    over: str
    setting: str
    points: float


def references(group: Group) -> list[Reference]:
    """The accuracies known for the group's protocol; released code ran with ``preset=paper``."""
    found = []
    for row in _read("references.csv"):
        std = float(row.pop("std") or "nan")
        reference = Reference(
            **{  # type: ignore[arg-type]
                **row,
                "accuracy": float(row["accuracy"]),
                "std": None if math.isnan(std) else std,
                "n": int(row["n"]),
            }
        )
        fits = reference.kind == "published" or group.preset == "paper"
        if reference.protocol == group.protocol and fits:
            found.append(reference)
    return found


def claims() -> list[Claim]:
    """The papers' average gains."""
    return [
        Claim(**{**row, "points": float(row["points"])})  # type: ignore[arg-type]
        for row in _read("claims.csv")
    ]


def _read(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / name).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def verdict(ours: Sequence[float], reference: Reference) -> str:
    """``within``, ``above`` or ``below``: our accuracies (in %) against the reference.

    Within means 1 point, or two standard errors of the difference where both spreads are known;
    one seed alone has no verdict.
    """
    if len(ours) < 2:
        return "one seed"
    tolerance = TOLERANCE
    if reference.std is not None:
        squares = float(np.var(ours)) / (len(ours) - 1), reference.std**2 / (reference.n - 1)
        tolerance = max(tolerance, 2 * math.sqrt(sum(squares)))
    return _side(float(np.mean(ours)) - reference.accuracy, tolerance)


def _side(gap: float, tolerance: float) -> str:
    if abs(gap) <= tolerance:
        return "within"
    return "above" if gap > 0 else "below"


@dataclass(frozen=True)
class Gain:
    """A claim beside the mean of our paired differences, in points, over places of a setting."""

    claim: Claim
    setting: str
    points: float
    per_place: tuple[tuple[Place, Difference], ...]

    @property
    def verdict(self) -> str:
        """Within a point of the claim, above or below; none on a graph or two."""
        if len({place.dataset for place, _ in self.per_place}) < FEWEST_GRAPHS:
            return "too few graphs"
        return _side(self.points - self.claim.points, TOLERANCE)


def gains(results: Results, parts: dict[str, str], teachers: Sequence[str]) -> list[Gain]:
    """Each claim with what was measured in its setting; none where nothing was.

    ``parts`` names the accuracy of each setting. A claim for both settings is shown for each.
    """
    found = []
    for claim in claims():
        for setting in parts if claim.setting == "both" else (claim.setting,):
            measured = [
                (place, gap)
                for place, methods in results.items()
                if place.teacher in teachers and place.setting == setting
                if (gap := _gain(methods, claim, parts[setting]))
            ]
            if measured:
                mean = float(np.mean([100 * gap.mean for _, gap in measured]))
                found.append(Gain(claim, setting, mean, tuple(measured)))
    return found


def _gain(methods: Mapping[str, Result], claim: Claim, part: str) -> Difference | None:
    mine = methods.get(claim.method)
    to_teacher = claim.over == "teacher"
    other = mine if to_teacher else methods.get(claim.over)
    return difference(mine, other, part, to_teacher=to_teacher) if mine and other else None
