"""What the figures of studies have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from gkd_runner.config.presets import all_labels
from gkd_runner.reporting.compare import Place, in_order
from gkd_runner.reporting.page.figure import Figure, spec_of
from gkd_runner.studies.inference_report import InferenceLine
from gkd_runner.studies.influence_report import InfluenceLine
from gkd_runner.studies.sweep import TEACHER, SweepLine, places

Record = dict[str, Any]
Chart = Callable[[Sequence[Record]], alt.FacetChart]
Line = SweepLine | InfluenceLine | InferenceLine


@dataclass(frozen=True)
class Where:
    """What a figure may show together: a protocol, with any share of its labels, and a setting."""

    protocol: str
    setting: str

    @staticmethod
    def of(line: Line) -> Where:
        return Where(all_labels(line.protocol), line.setting)

    def name(self, study: str) -> str:
        """The figure's name."""
        return f"{study}-{self.protocol}-{self.setting}"

    def title(self, text: str) -> str:
        """The figure's title."""
        return f"{text} ({self.protocol} protocol, {self.setting})"


def figure(
    where: Where,
    name: str,
    title: str,
    finding: str,
    text: str,
    records: Sequence[Record],
    chart: Chart,
) -> Figure:
    """The figure, or why there is none."""
    spec = spec_of(chart(records)) if records else None
    told = text if records else "Nothing to draw yet: the study was not finished."
    return Figure(where.name(name), where.title(title), told, spec, finding=finding)


def spread(values: Iterable[float]) -> Record:
    """Mean and population std of accuracies or differences ([0, 1]), in percent or points."""
    percents = 100 * np.array(list(values))
    mean, std = float(percents.mean()), float(percents.std())
    ends = {"value": mean, "low": mean - std, "high": mean + std}
    return {name: round(value, 2) for name, value in ends.items()}


def at(place: Place, panel: str) -> Record:
    """What the records of a place have for the page's filters."""
    found = {"dataset": place.dataset, "setting": place.setting, "teacher": place.teacher}
    return {"panel": panel} | found


def everywhere(lines: Sequence[SweepLine]) -> Iterator[tuple[Place, Record]]:
    """Each place and what its records have in common."""
    found = places(lines)
    several = len({place.teacher for place in found}) > 1
    for place in found:
        yield place, at(place, f"{place.dataset}, {place.teacher}" if several else place.dataset)


def kind(method: str) -> Record:
    """A teacher stays whichever methods the page's filter keeps."""
    return {"kind": method} if method == TEACHER else {"kind": method, "method": method}


def in_use(records: Iterable[Record], methods: Sequence[str]) -> list[str]:
    """The kinds that occur, the teacher first."""
    return in_order((record["kind"] for record in records), (TEACHER, *methods))
