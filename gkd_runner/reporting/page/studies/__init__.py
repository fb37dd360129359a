"""Figures of the studies: what explains the differences between methods.

Protocols and settings have figures of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies import ablation, hardness, inference, influence, scarcity
from gkd_runner.reporting.page.studies.frame import Where
from gkd_runner.studies import STUDIES
from gkd_runner.studies.lines import current

FIGURES: Mapping[str, Callable[[Any, Where], Iterator[Figure]]] = {
    "hardness": hardness.figures,
    "influence": influence.figures,
    "ablation": ablation.figures,
    "scarcity": scarcity.figures,
    "inference": inference.figures,
}


def study_figures(sources: Sequence[Path]) -> list[Figure]:
    """The figures that the studies in output folders ``sources`` allow; the last source counts.

    Raises ``ReportError`` for measurements of another form.
    """
    found = list[Figure]()
    for name, study in STUDIES.items():
        lines = current(line for source in sources for line in study.lines(name, source).read())
        for where in dict.fromkeys(map(Where.of, lines)):
            found += FIGURES[name]([line for line in lines if Where.of(line) == where], where)
    return found
