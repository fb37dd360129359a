"""Few labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies.charts import ACCURACY, trend
from gkd_runner.reporting.page.studies.frame import (
    Where,
    everywhere,
    figure,
    in_use,
    kind,
    spread,
)
from gkd_runner.studies.scarcity import METHODS, SHARES, sentence
from gkd_runner.studies.sweep import TEACHER, SweepLine, accuracies_at


def figures(lines: Sequence[SweepLine], where: Where) -> Iterator[Figure]:
    """Accuracy over the share of labels."""
    records = [
        common | kind(method) | {"x": share} | spread(found.values())
        for place, common in everywhere(lines)
        for method in (TEACHER, *METHODS)
        for share in SHARES
        if (found := accuracies_at(lines, place, share, method))
    ]
    yield figure(
        where,
        "scarcity",
        "Few labels",
        sentence(lines),
        "Mean ± population std over seeds.",
        records,
        lambda found: trend(found, ACCURACY, list(SHARES), in_use(found, METHODS), "labels"),
    )
