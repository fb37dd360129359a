"""The figure of ``Result.plot``; needs matplotlib, the extra ``plot``."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from gkd_runner.methods import METHODS
from gkd_runner.options.metrics import METRICS
from gkd_runner.results.scores import STAGES, RunResult
from gkd_runner.runs.display import over

GREY = "#666666"
SPREAD = 0.12
"""Half the width over which the dots of one column are spread."""


def figure(result: RunResult) -> Figure:
    """Test scores of the teacher and its student: a dot per replica, a bar at the mean."""
    config = result.config
    metric = config.training.select_by
    part = "test" if result.seeds[0].student.scores.test_hidden is None else "test_hidden"
    colours = {"teacher": GREY, "student": METHODS[config.method.name].colour}
    names = {
        "teacher": f"{config.teacher.name} teacher",
        "student": f"{config.method.name} student",
    }
    canvas = Figure(figsize=(4.5, 3.6), layout="constrained")
    panel = canvas.subplots()
    for column, (stage, of) in enumerate(STAGES.items()):
        scores = [getattr(of(seed).of(metric), part) for seed in result.seeds]
        values = [100 * score for score in scores if score is not None]
        spread = SPREAD if len(values) > 1 else 0.0
        places = column + np.linspace(-spread, spread, len(values))
        panel.scatter(places, values, color=colours[stage], s=28, zorder=3)
        mean = float(np.mean(values or [np.nan]))
        panel.hlines(mean, column - 0.25, column + 0.25, color=colours[stage], linewidth=2)
        panel.annotate(f"{mean:.2f}", (column + 0.28, mean), va="center")
    panel.set_xticks(range(len(STAGES)), [names[stage] for stage in STAGES])
    panel.set_xlim(-0.5, len(STAGES) - 0.3)
    nodes = "hidden test nodes" if part == "test_hidden" else "test nodes"
    panel.set_ylabel(f"{METRICS[metric].title} on {nodes} in %")
    panel.set_title(f"{config.dataset.name}, {config.setting.name}")
    panel.text(0, -0.16, f"dot: one of {len(result.seeds)} {over(result.seeds)}; bar: mean",
               transform=panel.transAxes, fontsize=8)  # fmt: skip
    panel.spines[["top", "right"]].set_visible(False)
    return canvas
