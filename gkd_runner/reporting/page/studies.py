"""Figures of the studies: what explains the differences between methods.

Of models of several sizes the largest of each dataset and GNN are shown; settings have figures of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gkd_runner.nodes.summary import QUARTILES
from gkd_runner.reporting.compare import TEACHERS, in_order
from gkd_runner.reporting.page.sizes import largest
from gkd_runner.reporting.page.study_charts import Axis, curves, dots, trend
from gkd_runner.studies import (
    STUDIES,
    ablation,
    hardness_report,
    inference,
    influence_report,
    scarcity,
)
from gkd_runner.studies.quarters import QUARTERS
from gkd_runner.studies.sweep import TEACHER, Line, Place, accuracies_at, places

if TYPE_CHECKING:
    from altair.typing import ChartType

Record = dict[str, Any]

ACCURACY = Axis("test accuracy, %")


@dataclass(frozen=True)
class StudyFigure:
    """One finding: a chart with its data in it, and the ``sentence`` that it shows.

    Where records of the chart have the columns ``group``, ``dataset``, ``setting``, ``teacher`` or
    ``method``, the page's filters act on them. ``name`` is that of its files.
    """

    name: str
    title: str
    sentence: str
    chart: ChartType


def study_figures(source: Path) -> list[StudyFigure]:
    """The figures that the studies in output folder ``source`` allow.

    Raises ``ReportError`` for measurements of another form.
    """
    found = list[StudyFigure]()
    for name, study in STUDIES.items():
        lines = largest(study.lines(name, source).read())
        for setting in dict.fromkeys(line.setting for line in lines):
            mine = [line for line in lines if line.setting == setting]
            found += FIGURES[name](mine, setting)
    return found


def _spread(values: Iterable[float]) -> Record:
    """Mean and population std of accuracies or differences ([0, 1]), in percent or points."""
    percents = 100 * np.array(list(values))
    mean, std = float(percents.mean()), float(percents.std())
    ends = {"value": mean, "low": mean - std, "high": mean + std}
    return {name: round(value, 2) for name, value in ends.items()}


def _at(place: Place, setting: str, several: bool) -> Record:
    dataset, teacher = place
    panel = f"{dataset}, {teacher}" if several else dataset
    return {"panel": panel, "dataset": dataset, "setting": setting, "teacher": teacher}


def _everywhere(lines: Sequence[Line], setting: str) -> Iterator[tuple[Place, Record]]:
    """Each place and what its records have in common."""
    found = places(lines)
    several = len({teacher for _, teacher in found}) > 1
    for place in found:
        yield place, _at(place, setting, several)


def _kind(method: str) -> Record:
    """A teacher stays whichever methods the page's filter keeps."""
    return {"kind": method} if method == TEACHER else {"kind": method, "method": method}


def _hardness(lines: Sequence[Line], setting: str) -> Iterator[StudyFigure]:
    yield _distributions(lines, setting)
    yield _quarters(lines, setting)
    yield _hgmd(lines, setting)


def _distributions(lines: Sequence[Line], setting: str) -> StudyFigure:
    records = []
    for place, at in _everywhere(lines, setting):
        shares: dict[tuple[str, str], list[float]] = {}
        for line in lines:
            if (line.dataset, line.teacher) == place and line.measure.endswith("_hardness"):
                shares.setdefault((line.method, line.part), []).append(line.value)
        for (method, part), values in shares.items():
            records.append(at | _kind(method) | {"x": float(part)} | _spread(values))
    return StudyFigure(
        f"hardness-{setting}",
        f"How hard nodes are ({setting})",
        "Entropy of the prediction relative to the largest of the graph, in twenty bins: knowledge"
        " hardness of the teacher, distillation hardness of the students, mean over seeds. Teachers"
        " are calibrated, as they taught.",
        curves(
            records, Axis("share of nodes, %"), _in_use(records, hardness_report.METHODS),
            "hardness",
        ),
    )  # fmt: skip


def _quarters(lines: Sequence[Line], setting: str) -> StudyFigure:
    records = []
    for place, at in _everywhere(lines, setting):
        for method in (TEACHER, *hardness_report.METHODS):
            variant = "" if method == TEACHER else hardness_report.variant_of(method)
            for part in QUARTILES:
                ours = accuracies_at(lines, place, variant, method, part)
                base = accuracies_at(lines, place, "", "glnn", part)
                gains = [ours[seed] - base[seed] for seed in ours if seed in base]
                if gains and method != "glnn":
                    x = {"x": part.removesuffix(" quarter")}
                    records.append(at | _kind(method) | x | _spread(gains))
    return StudyFigure(
        f"hardness-quarters-{setting}",
        f"Do the hard nodes improve? ({setting})",
        hardness_report.sentence(lines) + " Quarters of the test nodes by knowledge hardness; mean"
        " ± population std over seeds of the difference to glnn.",
        trend(
            records, Axis("test accuracy minus glnn, points", rule=0),
            [part.removesuffix(" quarter") for part in QUARTILES],
            _in_use(records, hardness_report.METHODS), "quarter",
        ),
    )  # fmt: skip


def _hgmd(lines: Sequence[Line], setting: str) -> StudyFigure:
    records = [
        at | _kind(method) | {"row": hardness} | _spread(found.values())
        for place, at in _everywhere(lines, setting)
        for method in hardness_report.HGMD
        for hardness in hardness_report.HARDNESSES
        if (found := accuracies_at(lines, place, hardness, method))
    ]
    return StudyFigure(
        f"hardness-hgmd-{setting}",
        f"Which hardness does HGMD need? ({setting})",
        "Edges drawn by both hardnesses as published, by one alone, or by neither; mean ±"
        " population std over seeds.",
        dots(records, ACCURACY, hardness_report.HARDNESSES, _in_use(records, hardness_report.HGMD)),
    )


def _ablation(lines: Sequence[Line], setting: str) -> Iterator[StudyFigure]:
    groups = {"parts": ablation.PARTS, "pooling": ablation.POOLINGS, "hops": ablation.HOPS}
    records = [
        at | {"kind": group, "row": variant} | _spread(found.values())
        for place, at in _everywhere(lines, setting)
        for group, variants in groups.items()
        for variant in variants
        if (found := accuracies_at(lines, place, variant))
    ]
    rows = [variant for variants in groups.values() for variant in variants]
    yield StudyFigure(
        f"ablation-{setting}",
        f"What of InfGraND does it? ({setting})",
        ablation.sentence(lines) + " Mean ± population std over seeds.",
        dots(records, ACCURACY, rows, list(groups), beside=False),
    )


def _scarcity(lines: Sequence[Line], setting: str) -> Iterator[StudyFigure]:
    records = [
        at | _kind(method) | {"x": share} | _spread(found.values())
        for place, at in _everywhere(lines, setting)
        for method in (TEACHER, *scarcity.METHODS)
        for share in scarcity.SHARES
        if (found := accuracies_at(lines, place, share, method))
    ]
    yield StudyFigure(
        f"scarcity-{setting}",
        f"Few labels ({setting})",
        scarcity.sentence(lines) + " Mean ± population std over seeds.",
        trend(
            records, ACCURACY, list(scarcity.SHARES), _in_use(records, scarcity.METHODS),
            "training labels",
        ),
    )  # fmt: skip


def _influence(lines: Sequence[influence_report.Line], setting: str) -> Iterator[StudyFigure]:
    records = [
        _at((dataset, teacher), setting, several=False)
        | {"kind": f"{side} quarter", "row": f"{teacher}, {quarter}"}
        | _spread(found.values())
        for (quarter, dataset, teacher), contest in influence_report.contests(lines).items()
        for side, found in (("top", contest.top), ("bottom", contest.bottom))
    ]
    rows = [
        f"{teacher}, {quarter}"
        for teacher in in_order((line.teacher for line in lines), TEACHERS)
        for quarter in QUARTERS
    ]
    yield StudyFigure(
        f"influence-{setting}",
        f"Do influential nodes teach a GNN more? ({setting})",
        f"{influence_report.sentence(lines)} {influence_report.of_graphs(lines)} Mean ± population"
        " std over seeds; quarters of all training nodes (overall) or of each class.",
        dots(records, ACCURACY, rows, ("top quarter", "bottom quarter")),
    )


ON_REQUEST = "student, propagating on request"
PANELS = {
    "1": "one node per request",
    **{str(size): f"{size} nodes per request" for size in inference.BATCHES[1:]},
    "all": "all test nodes at once",
}


def _inference(lines: Sequence[inference.Line], setting: str) -> Iterator[StudyFigure]:
    for where in dict.fromkeys((line.device, line.threads) for line in lines):
        mine = [line for line in lines if (line.device, line.threads) == where]
        yield _on_machine(mine, setting, *where)


def _on_machine(
    lines: Sequence[inference.Line], setting: str, device: str, threads: int
) -> StudyFigure:
    records = []
    mlps = {(each.dataset, each.teacher, each.batch): each for each in lines if each.model == "mlp"}
    size = inference.named_sizes(lines)
    first = in_order((line.teacher for line in lines), TEACHERS)[0]
    for line in lines:
        kinds = {line.teacher: line.teacher}
        if line.teacher == first:  # students differ between teachers in nothing but their layers
            kinds["infgrand-mlp-on-request"] = ON_REQUEST
        if line.model not in kinds:
            continue
        mlp = mlps[line.dataset, line.teacher, line.batch].median_seconds_per_node
        times = (line.median_seconds_per_node, line.low, line.high)
        value, low, high = (round(seconds / mlp, 3) for seconds in times)
        panel = PANELS[size(line)]
        at = _at((line.dataset, line.teacher), setting, several=False) | {"panel": panel}
        kind = {"kind": kinds[line.model], "row": line.dataset}
        records.append(at | kind | {"value": value, "low": low, "high": high})
    records.sort(key=lambda record: list(PANELS.values()).index(record["panel"]))
    machine = f"{threads} thread{'' if threads == 1 else 's'} of {device}"
    return StudyFigure(
        f"inference-{setting}-{threads}-{device.replace(' ', '-')}",
        f"How many times longer than the MLP GNNs take ({setting})",
        f"{inference.sentence(lines)} Median and quartiles of the time per node over that of the"
        f" MLP ({machine}); also for InfGraND's student where features are propagated on request.",
        dots(
            records, Axis("times the MLP's time per node (log)", log=True, rule=1),
            list(dict.fromkeys(line.dataset for line in lines)),
            [*in_order((line.teacher for line in lines), TEACHERS), ON_REQUEST],
        ),
    )  # fmt: skip


def _in_use(records: Iterable[Record], methods: Sequence[str]) -> list[str]:
    return in_order((record["kind"] for record in records), (TEACHER, *methods))


FIGURES: Mapping[str, Callable[[Any, str], Iterator[StudyFigure]]] = {
    "hardness": _hardness,
    "influence": _influence,
    "ablation": _ablation,
    "scarcity": _scarcity,
    "inference": _inference,
}
