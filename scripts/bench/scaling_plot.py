"""The figure of cost and memory against size: one panel per size, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bench import sampled
from bench.large import AXES as MEMORY_AXES
from bench.large import MEMORY
from bench.results import Results
from bench.scaling import AXES, INFLUENCE, NAMES, WITH_INFLUENCE, curves, exponent
from gkd_runner.methods import METHODS

PANEL = (5.4, 3.4)
TEACHERS = {"teacher gcn": "#000000", "teacher sage": "#777777", "teacher gat": "#bbbbbb"}
INFLUENCE_COLOUR = "#009e73"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One size: a cost in the units of ``ylabel`` over it, per part."""

    xlabel: str
    ylabel: str
    parts: Mapping[str, Points]


def panels(results: Results) -> list[Panel]:
    """The measured points: CPU time per axis, then memory."""
    found = []
    for axis in AXES:
        unit = "CPU ms per epoch" + (" (influence: in all)" if axis in WITH_INFLUENCE else "")
        parts = curves(results, axis)
        scaled = {part: [(x, 1e3 * y) for x, y in points] for part, points in parts.items()}
        found.append(Panel(NAMES[axis], unit, scaled))
    times, memory = sampled.curves(results)
    found.append(Panel(sampled.AXIS, "CPU ms per epoch", times))
    found.append(Panel(sampled.AXIS, "memory that the epochs take, MiB", memory))
    unit = "peak memory of a process, MiB"
    found += [Panel(axis, unit, memory_curves(results, axis)) for axis in MEMORY_AXES]
    return [panel for panel in found if panel.parts]


def memory_curves(results: Results, axis: str) -> dict[str, list[tuple[float, float]]]:
    """Per stage, its sizes along an axis with the peak of each in MiB."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in results.lines:
        if line.key.workload == f"{MEMORY}: {axis}" and line.peak_bytes:
            point = float(line.key.contender), line.peak_bytes / 2**20
            found.setdefault(line.key.part, []).append(point)
    return found


def save_figure(results: Results, path: Path) -> None:
    """Draw every panel to ``path``; its suffix is the format."""
    drawn = panels(results)
    columns = min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(columns * PANEL[0], rows * PANEL[1]), layout=layout)
    places = figure.subplots(rows, columns, squeeze=False).flat
    for panel in drawn:
        _draw(next(places), panel)
    for place in places:
        place.set_axis_off()
    figure.savefig(path, format=path.suffix[1:], dpi=150)


def _draw(place: Axes, panel: Panel) -> None:
    for part, points in panel.parts.items():
        sizes, costs = zip(*sorted(points), strict=True)
        place.loglog(
            sizes,
            costs,
            marker="o",
            markersize=3,
            linewidth=1.2,
            linestyle="-" if part.startswith("student") else "--",
            color=_colour(part),
            label=f"{part}: {exponent(points):.2f}",
        )
    place.set(xlabel=panel.xlabel, ylabel=panel.ylabel)
    place.spines[["top", "right"]].set_visible(False)
    place.legend(
        fontsize=7,
        frameon=False,
        title="exponent, last decade",
        title_fontsize=7,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
    )


def _colour(part: str) -> str:
    if part == INFLUENCE:
        return INFLUENCE_COLOUR
    return TEACHERS.get(part) or METHODS[part.removeprefix("student ")].colour
