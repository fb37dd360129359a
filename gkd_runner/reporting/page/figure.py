"""One figure of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt


@dataclass(frozen=True)
class Figure:
    """One figure; ``spec`` is ``None`` where nothing can be drawn, and ``text`` says why.

    ``text`` says how to read it, ``finding`` what was found. Of the columns ``choices``, one
    combination of values is shown at a time. ``name`` is that of its files. The page's filters act
    on those of the columns ``group``, ``dataset``, ``setting``, ``teacher`` and ``method`` that its
    records have.
    """

    name: str
    title: str
    text: str
    spec: dict[str, Any] | None
    choices: tuple[str, ...] = ()
    finding: str = ""


def spec_of(chart: alt.FacetChart) -> dict[str, Any]:
    """The chart as Vega-Lite, without the looks that the page gives it."""
    spec: dict[str, Any] = chart.to_dict()
    del spec["config"]
    return spec
