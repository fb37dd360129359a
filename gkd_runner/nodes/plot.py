"""A quick picture of the nodes; needs matplotlib, the extra ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gkd_runner.common.files import replacing
from gkd_runner.nodes.inspected import Inspected

# Okabe and Ito's palette, which readers with any colour vision can tell apart.
BLUE, ORANGE, BLACK = "#0072B2", "#E69F00", "#000000"

PANEL = (5.0, 3.8)
"""Inches, of one panel."""

BINS = 20

CROWDED = 1000
"""Largest degree with ticks at 2 and 5 between the powers of ten."""


def save_plot(inspected: Inspected, path: Path) -> None:
    """Draw the nodes to ``path``, atomically; its suffix is the format."""
    with replacing(path) as part:
        figure(inspected).savefig(part, format=path.suffix[1:], dpi=150)


def figure(inspected: Inspected) -> Figure:
    """Two panels on the graph; with a run two more, on the hardness of its test nodes."""
    table, rows = inspected.table, 2 if inspected.of_run else 1
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    canvas = Figure(figsize=(2 * PANEL[0], rows * PANEL[1]), layout=layout)
    panels = canvas.subplots(rows, 2).flat
    _influence(next(panels), table)
    _homophily(next(panels), table)
    if inspected.of_run:
        _hardness(next(panels), table, "knowledge_hardness", "teacher")
        _hardness(next(panels), table, "distillation_hardness", "student")
    for panel in canvas.axes:
        panel.spines[["top", "right"]].set_visible(False)
    canvas.suptitle(inspected.title)
    return canvas


def _influence(panel: Axes, table: pd.DataFrame) -> None:
    nodes = table[["degree", "influence"]].dropna()
    degree, influence = nodes["degree"].to_numpy(), nodes["influence"].to_numpy()
    panel.scatter(degree, influence, s=8, color=BLUE, alpha=0.25, linewidths=0, rasterized=True)
    group = np.floor(np.log2(np.maximum(degree, 0.5)))  # 0, 1, 2 to 3, 4 to 7, and so on
    medians = nodes.groupby(group).median()
    line = panel.plot(medians["degree"], medians["influence"], "o-", color=BLACK, markersize=4)
    line[0].set_label("median, by degree")
    _degree_axis(panel, degree)
    panel.set(xlabel="degree", ylabel="influence", ylim=(-0.03, 1.03))
    _legend_above(panel)


def _degree_axis(panel: Axes, degree: npt.NDArray[np.int64]) -> None:
    """A logarithmic axis; with isolated nodes it is linear below 1, so that 0 can be shown."""
    if (degree == 0).any():
        panel.set_xscale("symlog", linthresh=1, linscale=0.5)
    else:
        panel.set_xscale("log")
    marks = (1, 2, 5) if degree.max() < CROWDED else (1,)
    ticks = [mark * 10**power for power in range(9) for mark in marks]
    ticks = [0] * bool((degree == 0).any()) + [tick for tick in ticks if tick <= degree.max()]
    panel.set_xticks(ticks, labels=[str(tick) for tick in ticks])


def _homophily(panel: Axes, table: pd.DataFrame) -> None:
    values = table["local_homophily"].dropna()
    panel.hist(values, bins=BINS, range=(0, 1), color=BLUE, edgecolor="white", linewidth=0.5)
    panel.set(xlabel="local homophily", ylabel="nodes")


def _hardness(panel: Axes, table: pd.DataFrame, column: str, stage: str) -> None:
    """Right and wrong nodes are stacked, and hatched for print in grey."""
    test = table[table["split"] == "test"].dropna(subset=[column, f"{stage}_right"])
    hardness, right = test[column], test[f"{stage}_right"].astype(bool)
    groups: list[Any] = [hardness[right], hardness[~right]]
    labels = [f"{stage} right ({len(groups[0])})", f"{stage} wrong ({len(groups[1])})"]
    top = max(1.0, float(hardness.max()))
    panel.hist(
        groups,
        bins=BINS,
        range=(0, top),
        stacked=True,
        color=[BLUE, ORANGE],
        label=labels,
        hatch=["", "///"],
        edgecolor="white",
        linewidth=0.5,
    )
    panel.set(xlabel=column.replace("_", " "), ylabel="test nodes")
    _legend_above(panel)


def _legend_above(panel: Axes) -> None:
    """Put the legend above the panel, where it covers no data."""
    panel.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0)
