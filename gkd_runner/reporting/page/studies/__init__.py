"""Figures of the studies: what explains the differences between methods.

Protocols and settings have figures of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gkd_runner.config.presets import all_labels
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies.figures import FIGURES
from gkd_runner.studies import STUDIES, read_study


def study_figures(sources: Sequence[Path]) -> list[Figure]:
    """The figures that the studies in output folders ``sources`` allow; the last source counts."""
    figures = list[Figure]()
    for study in STUDIES:
        measured = read_study(study, sources)
        protocols = measured["protocol"].map(all_labels)
        for (protocol, setting), rows in measured.groupby([protocols, "setting"], sort=False):
            figures += [
                replace(
                    figure,
                    name=f"{figure.name}-{protocol}-{setting}",
                    title=f"{figure.title} ({protocol} protocol, {setting})",
                )
                for figure in FIGURES[study](rows)
            ]
    return figures
