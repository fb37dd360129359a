"""GNNs that learn from the most and from the least influential training nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gkd_runner.reporting.compare import TEACHERS, in_order
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies.charts import ACCURACY, dots
from gkd_runner.reporting.page.studies.frame import Where, at, figure, spread
from gkd_runner.studies.influence_report import InfluenceLine, contests, of_graphs, sentence
from gkd_runner.studies.quarters import GROUPINGS


def figures(lines: Sequence[InfluenceLine], where: Where) -> Iterator[Figure]:
    """Accuracy of both quarters."""
    records = [
        at(place, place.dataset)
        | {"kind": f"{side} quarter", "row": f"{place.teacher}, {grouping}"}
        | spread(found.values())
        for (grouping, place), contest in contests(lines).items()
        for side, found in (("top", contest.top), ("bottom", contest.bottom))
    ]
    teachers = in_order((line.teacher for line in lines), TEACHERS)
    rows = [f"{teacher}, {grouping}" for teacher in teachers for grouping in GROUPINGS]
    yield figure(
        where,
        "influence",
        "Do influential nodes teach a GNN more?",
        f"{sentence(lines)} {of_graphs(lines)}",
        "Mean ± population std over seeds; quarters of all training nodes (overall) or of each"
        " class.",
        records,
        lambda found: dots(found, ACCURACY, rows, ("top quarter", "bottom quarter")),
    )
