"""Figures of methods over all graphs: average ranks and performance profiles.

They need matplotlib and scikit-posthocs, the extra ``plot``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import scikit_posthocs
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gkd_runner.common.files import replacing
from gkd_runner.methods import METHODS
from gkd_runner.options.metrics import METRICS
from gkd_runner.reporting.methods_table import counts_text, over_text, p_text
from gkd_runner.reporting.text import group_title
from gkd_runner.results.compare import Comparison
from gkd_runner.results.frame import ReportError
from gkd_runner.results.method_comparison import MethodComparison, several_graphs
from gkd_runner.results.selection import GROUP

GREY = "#666666"
"""For methods that are not installed."""

ABOVE = 1.9
"""Height of the critical difference above the axis of ranks, whose labels are below 1.5."""

BETWEEN, EVERY = 2, 16
"""Steps of a profile's distances between the intervals of two methods, and of one method."""

LINES = ("-", "--", "-.", ":")
"""Methods differ in line and colour, for readers of any colour vision and for print in grey."""


def save_figures(comparison: Comparison, folder: Path) -> list[Path]:
    """Write each figure as SVG and PNG; the files written.

    Raises ``ReportError`` where no two methods have run on two graphs.
    """
    drawn = [
        (f"{kind}-{_name(each)}", figure)
        for each in several_graphs(comparison.selected)
        for kind, figure in figures(each, comparison)
    ]
    if not drawn:
        raise ReportError(
            "there is nothing to draw: figures need two methods that have run on two graphs, with"
            " the same protocol, preset, calibration, seeds and splits"
        )
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{form}" for name, _ in drawn for form in ("svg", "png")]
    for path, figure in zip(paths, (f for _, f in drawn for _ in range(2)), strict=True):
        with replacing(path) as part:
            figure.savefig(part, format=path.suffix[1:], dpi=200)
    return paths


def figures(each: MethodComparison, comparison: Comparison) -> Iterator[tuple[str, Figure]]:
    """The kind of each figure, and the figure; ranks only where they were tested."""
    metric = comparison.metric
    by = "" if metric == "accuracy" else f"; by {METRICS[metric].title}"
    over = f"{over_text(each, comparison)}; {counts_text(each)}{by}"
    title = f"{over}\n{group_title(each.names)}"
    if each.ranking.groups:
        yield "ranks", ranks_figure(each, title)
    yield "profile", profile_figure(each, title)


def ranks_figure(each: MethodComparison, title: str) -> Figure:
    """The critical-difference diagram: a bar joins methods that are not told apart."""
    tests = each.ranking
    names, alike = list(tests.ranks), [set(group) for group in tests.groups]
    apart = pd.DataFrame(
        [[float(any({a, b} <= group for group in alike)) for b in names] for a in names],
        index=names,
        columns=names,
    )
    rows = 2 + len(alike) + (len(names) + 1) // 2  # of the critical difference, bars and names
    canvas = Figure(figsize=(7, 0.7 + 0.27 * rows), layout="constrained")
    panel = canvas.subplots()
    drawn = scikit_posthocs.critical_difference_diagram(
        pd.Series(tests.ranks),
        apart,
        ax=panel,
        label_fmt_left="{label} ({rank:.2f})",
        label_fmt_right="({rank:.2f}) {label}",
        color_palette={name: _colour(name) for name in names},
        text_h_margin=0.1,
    )
    for label in drawn["labels"]:
        label.set_color("black")  # light colours are hard to read
    limit, best = tests.critical_difference, tests.ranks[names[0]]
    panel.plot([best, best + limit], [ABOVE, ABOVE], "k|-", linewidth=1)
    panel.annotate(
        f"critical difference {limit:.2f}", (best + limit, ABOVE), (6, 0),
        textcoords="offset points", va="center", fontsize=9,
    )  # fmt: skip
    _title(panel, f"Average ranks (1 is the best), Friedman test p = {p_text(tests.p)}\n{title}")
    return canvas


def profile_figure(each: MethodComparison, title: str) -> Figure:
    """The performance profile, with some intervals side by side: bands would hide each other."""
    canvas = Figure(figsize=(7, 3.8), layout="constrained")
    panel = canvas.subplots()
    profile = each.profile
    for number, (name, estimates) in enumerate(profile.shares.items()):
        shares = pd.DataFrame(estimates)
        look: dict[str, Any] = {"color": _colour(name), "linestyle": LINES[number % len(LINES)]}
        panel.plot(profile.distances, shares["mean"], label=name, **look)
        some = shares.assign(at=profile.distances)[BETWEEN * (number + 1) :: EVERY].dropna()
        panel.vlines(some["at"], some["low"], some["high"], color=look["color"], linewidth=1)
    panel.set(
        xlim=(0, profile.distances[-1]),
        ylim=(0, 1.02),
        ylabel="share of runs",
        xlabel="within this many points of the best method on the same seed and split",
    )
    panel.spines[["top", "right"]].set_visible(False)
    _title(panel, f"Performance profiles, with 95% intervals\n{title}")
    canvas.legend(frameon=False, loc="outside right center")
    return canvas


def _title(panel: Axes, title: str) -> None:
    panel.set_title(title, fontsize=9, loc="left")


def _colour(method: str) -> str:
    return METHODS[method].colour if method in METHODS else GREY


def _name(each: MethodComparison) -> str:
    names = "-".join(each.names[name] for name in (*GROUP, "setting"))
    return re.sub(r"[^\w.-]", "-", names)
