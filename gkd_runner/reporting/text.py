"""Numbers and facts as they read in tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from gkd_runner.config.presets import Hyperparameters, hyperparameters_text
from gkd_runner.options.metrics import METRICS
from gkd_runner.results.compare import SIGNIFICANT
from gkd_runner.results.selection import distils
from gkd_runner.results.verdict_text import NODES, mean_text

PARTS = NODES | {"test": "all test nodes"}
"""The test nodes that an inductive score may be over."""

Facts = Mapping[str, Any]
"""A row of a table of runs, or of ``gkd_runner.results.compare.summary``."""


def group_name(row: Facts) -> str:
    """A group as the page's address names it: ``<protocol>/<preset>/<calibration>``."""
    return f"{row['protocol']}/{row['preset']}/{row['calibration']}"


def group_title(row: Facts) -> str:
    """The heading of a group's tables."""
    return f"{row['protocol']} protocol, preset={row['preset']}, calibration={row['calibration']}"


def metric_title(metric: str) -> str:
    """The name of a metric as a heading: ``Accuracy``, ``Macro F1``, ``ROC AUC``."""
    name = METRICS[metric].title
    return name[0].upper() + name[1:]


def setting_text(setting: str, part: str) -> str:
    """The setting; with the nodes that its scores are over, if it is inductive."""
    return f"{setting}, {PARTS[part]}" if setting == "inductive" else setting


def own_teacher(method: str) -> str:
    """The label of a teacher that is not shared by all methods."""
    return f"{method}'s teacher"


def spans_text(numbers: Iterable[int]) -> str:
    """``0 to 9, 12, 2022 to 2026``: distinct whole numbers, in order."""
    ordered = enumerate(sorted(set(numbers)))
    spans = [[own for _, own in span] for _, span in groupby(ordered, lambda at: at[1] - at[0])]
    return ", ".join(
        f"{span[0]} to {span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in spans
    )


def replicas_text(n: int, splits: int) -> str:
    """``5 seeds``; with several splits ``20 splits x seeds``, the number of pairs of both."""
    return f"{n} seeds" if splits == 1 else f"{n} splits x seeds"


def stage_text(row: Facts, stage: str, *, with_n: bool = False) -> str:
    """The score of ``teacher`` or ``student`` in a row of ``summary``."""
    mean, std, n = (row[f"{stage}_{name}"] for name in ("mean", "std", "n"))
    if not n:
        metric = row["metric"]
        return "no such nodes" if metric == "accuracy" else f"no {METRICS[metric].title}"
    return mean_text(mean, std, n) + (f" ({n})" if with_n else "")


def gap_text(gap: Facts) -> str:
    """``+1.20±0.30* (5/5)``: points, population std, star of a difference, pairs won of all."""
    spread = f"±{100 * gap['std']:.2f}" if gap["n"] > 1 else ""
    star = "*" if gap["p"] < SIGNIFICANT else ""
    return f"{100 * gap['mean']:+.2f}{spread}{star} ({gap['won']}/{gap['n']})"


def source_text(row: Facts) -> str:
    """The origin of a run's hyperparameters, as one sentence."""
    origin = Hyperparameters(row["hyperparameters"], tuple(row["preset_rows"]), row["changed"])
    calibrated = row["calibration"] != "none" and distils(row["method"])
    return hyperparameters_text(
        origin, preset=row["preset"], dataset=row["dataset"], calibrated=calibrated
    )
