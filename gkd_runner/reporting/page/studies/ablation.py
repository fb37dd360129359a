"""InfGraND's parts, poolings and hops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies.charts import ACCURACY, dots
from gkd_runner.reporting.page.studies.frame import Where, everywhere, figure, spread
from gkd_runner.studies.ablation import GROUPS, accuracies, sentence
from gkd_runner.studies.sweep import SweepLine


def figures(lines: Sequence[SweepLine], where: Where) -> Iterator[Figure]:
    """Accuracy of every variant; the far lower MLP would squeeze the differences."""
    groups = {
        group: [variant for variant in variants if variant != "mlp"]
        for group, variants in GROUPS.items()
    }
    records = [
        common | {"kind": group, "row": variant} | spread(found.values())
        for place, common in everywhere(lines)
        for group, variants in groups.items()
        for variant in variants
        if (found := accuracies(lines, place, variant))
    ]
    rows = [variant for variants in groups.values() for variant in variants]
    yield figure(
        where,
        "ablation",
        "What of InfGraND does it?",
        sentence(lines),
        "Mean ± population std over seeds.",
        records,
        lambda found: dots(found, ACCURACY, rows, list(groups), beside=False),
    )
