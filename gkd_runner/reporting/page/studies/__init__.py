"""Figures of the studies: what explains the differences between methods.

Protocols and settings have figures of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from gkd_runner.config.presets import all_labels
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies.figures import FIGURES
from gkd_runner.reporting.text import PARTS, spans_text
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
                    text=figure.text + (_made_of(rows) if figure.spec else ""),
                )
                for figure in FIGURES[study](rows)
            ]
    return figures


def _made_of(rows: pd.DataFrame) -> str:
    """The nodes, widths and seeds behind a figure, which may differ from those of the tables."""
    told = []
    if (rows["setting"] == "inductive").any() and "seed" in rows:
        hidden = "part" in rows and (rows["part"] == "hidden").any()
        nodes = PARTS["test_hidden"] if hidden else f"{PARTS['test']}, hidden and observed"
        told.append(f" Test accuracies are over {nodes}.")
    widths = ", ".join(map(str, sorted(rows["hidden_dim"].dropna().unique())))
    seeds = f"; seeds {spans_text(map(int, rows['seed'].dropna()))}" if "seed" in rows else ""
    return "".join(told) + f" Hidden width {widths}{seeds}."
