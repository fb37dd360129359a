"""Figures of studies: what explains the differences between methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from altair.typing import ChartType


@dataclass(frozen=True)
class StudyFigure:
    """One finding: a chart with its data in it, and the ``sentence`` that it shows.

    Where records of the chart have the columns ``group``, ``dataset``, ``setting``, ``teacher`` or
    ``method``, the page's filters act on them. ``name`` is that of its files.
    """

    name: str
    title: str
    sentence: str
    chart: ChartType


def study_figures(source: Path) -> list[StudyFigure]:
    """The figures that the studies in output folder ``source`` allow."""
    return []
