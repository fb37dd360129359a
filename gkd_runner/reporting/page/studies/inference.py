"""How many times longer than the MLP the GNNs take, machine by machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gkd_runner.reporting.compare import DATASETS, TEACHERS, Place, in_order
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies.charts import Axis, dots
from gkd_runner.reporting.page.studies.frame import Record, Where, at, figure
from gkd_runner.studies.inference_report import ALL, SIZES, InferenceLine, sentence

BEFOREHAND = "infgrand, propagated before"
ON_REQUEST = "infgrand, on request"
STUDENTS = {"infgrand-mlp": BEFOREHAND, "infgrand-mlp-on-request": ON_REQUEST}
TIMES = Axis("times the MLP's time per node (log)", log=True, rule=1)


def figures(lines: Sequence[InferenceLine], where: Where) -> Iterator[Figure]:
    """One figure per machine."""
    for machine in dict.fromkeys(line.machine for line in lines):
        yield _on(machine, [line for line in lines if line.machine == machine], where)


def _on(machine: str, lines: Sequence[InferenceLine], where: Where) -> Figure:
    datasets = in_order((line.dataset for line in lines), DATASETS)
    kinds = [*in_order((line.teacher for line in lines), TEACHERS), *STUDENTS.values()]
    return figure(
        where,
        f"inference-{machine.replace(' ', '-')}",
        f"How many times longer than the MLP GNNs take on {machine}",
        sentence(lines),
        "Median and quartiles of the time per node over that of the MLP on raw features."
        " InfGraND's student reads features that were propagated before, or propagates them on"
        " request.",
        list(_records(lines)),
        lambda found: dots(found, TIMES, datasets, kinds),
    )


def _records(lines: Sequence[InferenceLine]) -> Iterator[Record]:
    mlps = {
        (line.dataset, line.teacher, line.size): line.median_seconds_per_node
        for line in lines
        if line.model == "mlp"
    }
    for size in SIZES:
        for line in (line for line in lines if line.size == size):
            kinds = {line.teacher: line.teacher, **STUDENTS}
            mlp = mlps.get((line.dataset, line.teacher, line.size))
            if line.model in kinds and mlp:
                ends = {"value": line.median_seconds_per_node, "low": line.low, "high": line.high}
                times = {name: round(seconds / mlp, 3) for name, seconds in ends.items()}
                common = at(Place(line.dataset, line.setting, line.teacher), _panel(size))
                yield common | {"kind": kinds[line.model], "row": line.dataset} | times


def _panel(size: str) -> str:
    named = {"1": "one node per request", ALL: "all test nodes at once"}
    return named.get(size, f"{size} nodes per request")
