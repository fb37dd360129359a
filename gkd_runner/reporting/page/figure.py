"""One figure of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt


@dataclass(frozen=True)
class Figure:
    """One figure of the page.

    Attributes:
        name: names its files and its element on the page.
        text: how to read it, or why there is none.
        spec: its Vega-Lite specification; ``None`` if there is nothing to draw. The page's filters
            act on the columns ``group``, ``dataset``, ``setting``, ``teacher`` and ``method`` of
            its records, as far as they have them.
        choices: columns of which the page shows one combination of values at a time.
        finding: the result in a sentence.
        saved: whether it is also written as files, one per choice.
    """

    name: str
    title: str
    text: str
    spec: dict[str, Any] | None
    choices: tuple[str, ...] = ()
    finding: str = ""
    saved: bool = True


def spec_of(chart: alt.FacetChart | alt.LayerChart) -> dict[str, Any]:
    """The chart as Vega-Lite, without the looks that the page gives it."""
    spec: dict[str, Any] = chart.to_dict()
    del spec["config"]
    return spec
