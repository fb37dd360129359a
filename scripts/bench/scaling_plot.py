"""The figure of ``scaling``: one panel per size, both axes logarithmic."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bench.results import Results
from bench.scaling import AXES, INFLUENCE, NAMES, curves, exponent
from gkd_runner.methods import METHODS

PANEL = (4.6, 4.2)
TEACHERS = {"teacher gcn": "#000000", "teacher sage": "#777777", "teacher gat": "#bbbbbb"}
INFLUENCE_COLOUR = "#009e73"


def save_figure(results: Results, path: Path) -> None:
    """Draw all measured axes to ``path``; its suffix is the format."""
    measured = [axis for axis in AXES if curves(results, axis)]
    columns = min(3, len(measured))
    rows = -(-len(measured) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(columns * PANEL[0], rows * PANEL[1]), layout=layout)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axis in measured:
        _panel(next(panels), results, axis)
    for panel in panels:
        panel.set_axis_off()
    figure.savefig(path, format=path.suffix[1:], dpi=150)


def _panel(panel: Axes, results: Results, axis: str) -> None:
    for part, points in curves(results, axis).items():
        sizes, seconds = zip(*sorted(points), strict=True)
        panel.loglog(
            sizes,
            [1e3 * value for value in seconds],
            marker="o",
            markersize=3,
            linewidth=1.2,
            linestyle="-" if part.startswith("student") else "--",
            color=_colour(part),
            label=f"{part}: {exponent(points):.2f}",
        )
    unit = "epoch" if axis not in ("nodes", "edges") else "epoch, or of influence"
    panel.set(xlabel=NAMES[axis], ylabel=f"CPU milliseconds per {unit}")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=7, frameon=False, title="exponent, last decade", title_fontsize=7)


def _colour(part: str) -> str:
    if part == INFLUENCE:
        return INFLUENCE_COLOUR
    return TEACHERS.get(part) or METHODS[part.removeprefix("student ")].colour
