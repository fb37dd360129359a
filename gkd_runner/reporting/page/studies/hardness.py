"""How hard nodes are, whether the hard ones improve, and which hardness HGMD needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gkd_runner.nodes.quarters import QUARTERS
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.studies.charts import ACCURACY, Axis, curves, dots, trend
from gkd_runner.reporting.page.studies.frame import (
    Record,
    Where,
    everywhere,
    figure,
    in_use,
    kind,
    spread,
)
from gkd_runner.studies.hardness_report import BINS, HARDNESSES, HGMD, METHODS, sentence, variant_of
from gkd_runner.studies.sweep import TEACHER, SweepLine, accuracies_at

SHARE = Axis("share of nodes, %")
GAIN = Axis("test accuracy minus glnn, points", rule=0)


def figures(lines: Sequence[SweepLine], where: Where) -> Iterator[Figure]:
    """Distributions, gains by quarter, HGMD's variants."""
    yield figure(
        where,
        "hardness",
        "How hard nodes are",
        "",
        "Entropy of the prediction relative to the largest of the graph, in twenty bins: knowledge"
        " hardness of the teacher, distillation hardness of the students, mean over seeds. Teachers"
        " are calibrated, as they taught.",
        list(_distributions(lines)),
        lambda found: curves(found, SHARE, in_use(found, METHODS), "hardness"),
    )
    yield figure(
        where,
        "hardness-quarters",
        "Do the hard nodes improve?",
        sentence(lines),
        "Quarters of the test nodes by knowledge hardness; mean ± population std over seeds of the"
        " difference to glnn.",
        list(_gains(lines)),
        lambda found: trend(
            found, GAIN, list(map(_short, QUARTERS)), in_use(found, METHODS), "quarter"
        ),
    )
    yield figure(
        where,
        "hardness-hgmd",
        "Which hardness does HGMD need?",
        "",
        "Edges drawn by both hardnesses as published, by one alone, or by neither; mean ±"
        " population std over seeds.",
        list(_variants(lines)),
        lambda found: dots(found, ACCURACY, HARDNESSES, in_use(found, HGMD)),
    )


def _distributions(lines: Sequence[SweepLine]) -> Iterator[Record]:
    for place, common in everywhere(lines):
        shares: dict[tuple[str, str], list[float]] = {}
        for line in lines:
            mine = (line.dataset, line.teacher) == (place.dataset, place.teacher)
            if mine and line.measure.endswith("_hardness"):
                shares.setdefault((line.method, line.part), []).append(line.value)
        for (method, part), values in shares.items():
            yield common | kind(method) | {"x": float(part) + 0.5 / BINS} | spread(values)


def _gains(lines: Sequence[SweepLine]) -> Iterator[Record]:
    for place, common in everywhere(lines):
        for method in (TEACHER, *METHODS):
            for part in QUARTERS:
                ours = accuracies_at(lines, place, variant_of(method), method, part)
                base = accuracies_at(lines, place, "", "glnn", part)
                gains = [ours[seed] - base[seed] for seed in ours if seed in base]
                if gains and method != "glnn":
                    yield common | kind(method) | {"x": _short(part)} | spread(gains)


def _variants(lines: Sequence[SweepLine]) -> Iterator[Record]:
    for place, common in everywhere(lines):
        for method in HGMD:
            for hardness in HARDNESSES:
                found = accuracies_at(lines, place, hardness, method)
                if found:
                    yield common | kind(method) | {"row": hardness} | spread(found.values())


def _short(quarter: str) -> str:
    return quarter.removesuffix(" quarter")
