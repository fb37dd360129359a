"""The charts of studies: small multiples of records with the same few columns.

A record has its ``panel``, its ``kind`` (by colour), ``value``, ``low`` and ``high``, and ``row``
(:func:`dots`) or ``x`` (:func:`trend`, :func:`curves`). The page's filters act on the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from gkd_runner.reporting.page.colours import COLOURS as METHODS
from gkd_runner.reporting.page.colours import SPARE as NOT_INSTALLED

Records = Sequence[Mapping[str, Any]]

COLOURS = METHODS | {
    "top quarter": "#be4e04",
    "bottom quarter": "#0e9ed1",
    "gcn": "#238584",
    "sage": "#b3558a",
    "gat": "#8a5a4a",
    "infgrand, propagated before": METHODS["infgrand"],
    "infgrand, on request": METHODS["mlp"],
    "parts": "#be4e04",
    "pooling": "#7a21dd",
    "hops": "#238584",
    "validation": METHODS["teacher"],
    "test": "#be4e04",
}

SPARE = "#238584"
"""For GNNs that are not listed above."""

ALL_COLOURS = {*COLOURS.values(), SPARE, *NOT_INSTALLED}
"""The colours of all figures of the page."""

PANEL = 230
COLUMNS = 4
"""Width of a small multiple in pixels, and their number per row at most, in files for papers."""


@dataclass(frozen=True)
class Axis:
    """The axis that shows ``value``, with an optional reference line at ``rule``."""

    title: str
    log: bool = False
    rule: float | None = None


def dots(
    records: Records, axis: Axis, rows: Sequence[str], kinds: Sequence[str], *, beside: bool = True
) -> alt.FacetChart:
    """A mean per row and kind, with its spread; kinds of a row stand ``beside`` each other."""
    x = alt.X("value:Q", title=axis.title, scale=_scale(axis), axis=alt.Axis(tickCount=5))
    base = alt.Chart().encode(
        y=alt.Y("row:N", sort=list(rows), title=None, axis=alt.Axis(labelLimit=260)),
        color=_colour(kinds),
    )
    if beside:
        base = base.encode(yOffset=alt.YOffset("kind:N", sort=list(kinds)))
    spread = base.mark_rule(opacity=0.7).encode(x=alt.X("low:Q", title=axis.title), x2="high:Q")
    means = base.mark_point(filled=True, size=55).encode(x=x, tooltip=_tooltip("row"))
    layers = [*_rule(axis, "x"), spread, means]
    step = alt.Step(13 if beside else 20)
    return _panels(alt.layer(*layers).properties(width=PANEL, height=step), records, y="shared")


def trend(
    records: Records, axis: Axis, xs: Sequence[str], kinds: Sequence[str], x_title: str
) -> alt.FacetChart:
    """A line per kind over ``xs`` in their order."""
    x = alt.X("x:O", sort=list(xs), title=x_title, axis=alt.Axis(labelAngle=0))
    base = alt.Chart().encode(x=x, color=_colour(kinds))
    y = alt.Y("value:Q", title=axis.title, scale=_scale(axis))
    spread = base.mark_rule(opacity=0.6).encode(y=alt.Y("low:Q", title=axis.title), y2="high:Q")
    line = base.mark_line(opacity=0.7, strokeWidth=1.5).encode(y=y)
    means = base.mark_point(filled=True, size=45).encode(y=y, tooltip=_tooltip("x"))
    layers = [*_rule(axis, "y"), spread, line, means]
    return _panels(alt.layer(*layers).properties(width=PANEL, height=190), records)


def curves(records: Records, axis: Axis, kinds: Sequence[str], x_title: str) -> alt.FacetChart:
    """A curve per kind over the number ``x``."""
    chart = (
        alt.Chart()
        .mark_line(interpolate="step", strokeWidth=1.6)
        .encode(
            x=alt.X("x:Q", title=x_title, axis=alt.Axis(tickCount=5)),
            y=alt.Y("value:Q", title=axis.title, scale=_scale(axis)),
            color=_colour(kinds),
            tooltip=_tooltip("x"),
        )
    )
    return _panels(alt.layer(chart).properties(width=PANEL, height=170), records)


def _scale(axis: Axis) -> alt.Scale:
    return alt.Scale(type="log", nice=False, padding=10) if axis.log else alt.Scale(zero=False)


def _rule(axis: Axis, channel: str) -> list[alt.Chart]:
    if axis.rule is None:
        return []
    mark = alt.Chart().mark_rule(style="ink", strokeDash=[4, 3], opacity=0.6)
    return [mark.encode(**{channel: alt.datum(axis.rule)})]


def _colour(kinds: Sequence[str]) -> alt.Color:
    shown = [COLOURS.get(kind, SPARE) for kind in kinds]
    legend = alt.Legend(title=None, symbolOpacity=1) if len(kinds) > 1 else None
    return alt.Color("kind:N", scale=alt.Scale(domain=list(kinds), range=shown), legend=legend)


def _tooltip(where: str) -> list[alt.Tooltip]:
    fields = {"kind": "N", where: "N", "value": "Q", "low": "Q", "high": "Q"}
    return [alt.Tooltip(f"{name}:{kind}", title=name) for name, kind in fields.items()]


def _panels(
    chart: alt.LayerChart | alt.FacetChart,
    records: Records,
    y: Literal["independent", "shared"] = "independent",
) -> alt.FacetChart:
    """Small multiples in the order in which their records come."""
    panels = list(dict.fromkeys(record["panel"] for record in records))
    faceted: alt.FacetChart = (
        chart.properties(data=alt.NamedData("records"))
        .facet(alt.Facet("panel:N", sort=panels, title=None), columns=COLUMNS)
        .resolve_scale(x="independent", y=y)
        .properties(datasets={"records": list(records)})
    )
    if y == "independent":
        faceted.bounds, faceted.spacing = "flush", {"row": 70, "column": 60}
    return faceted
