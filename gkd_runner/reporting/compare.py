"""Bridge for ``gkd_runner.studies`` until it no longer imports this module."""

from __future__ import annotations

from dataclasses import dataclass

from gkd_runner.results.compare import (
    DATASETS,
    SETTINGS,
    SIGNIFICANT,
    TEACHERS,
    Difference,
    in_order,
    paired,
)

__all__ = [
    "DATASETS",
    "SETTINGS",
    "SIGNIFICANT",
    "TEACHERS",
    "Difference",
    "Place",
    "in_order",
    "paired",
]


@dataclass(frozen=True)
class Place:
    """A graph, setting and teacher."""

    dataset: str
    setting: str
    teacher: str
