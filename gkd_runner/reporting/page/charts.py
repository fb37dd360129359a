"""The page's own charts (Altair, Vega-Lite), without data: each reads its records as ``rows``.

A method has one colour everywhere; its shape is its teacher's.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from gkd_runner.reporting.page.colours import colours
from gkd_runner.reporting.series import Names

SHAPES = ("circle", "triangle-up", "square", "diamond", "cross")
PANEL = 230
COLUMNS = 4
"""Width of a small multiple in pixels, and their number per row at most, in files for papers."""

RISE = 5
"""Learning curves begin this many points below the lowest final one: the rise is alike in all."""

FONT = "system-ui, 'Helvetica Neue', Arial, sans-serif"


def config(ink: str, background: str) -> dict[str, Any]:
    """Vega-Lite's config: text and lines in ``ink``."""
    text = {"labelColor": ink, "titleColor": ink, "titleFontWeight": 500}
    lines = {"domainColor": ink, "tickColor": ink, "gridColor": ink, "gridOpacity": 0.15}
    return {
        "background": background,
        "font": FONT,
        "axis": {**text, **lines, "labelFontSize": 12, "titleFontSize": 12},
        "header": {**text, "labelFontSize": 13, "labelFontWeight": 600},
        "legend": {
            **text,
            "orient": "top",
            "titleOrient": "left",
            "titlePadding": 10,
            "labelLimit": 300,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "layout": {"top": {"margin": 24}},
            "symbolBaseStrokeColor": ink,
            "symbolBaseFillColor": ink,
        },
        "title": {"color": ink},
        "view": {"stroke": ink, "strokeOpacity": 0.2},
        "style": {"ink": {"color": ink, "fill": ink, "stroke": ink}},
        "text": {"color": ink},
        "rule": {"color": ink},
    }


def seeds_chart(names: Names, metric: str) -> alt.FacetChart:
    """Test score of every seed by method, with the mean; one panel per graph and setting.

    ``metric`` is the title of the score.
    """
    base = alt.Chart().encode(
        y=alt.Y("series:N", sort=names.labels, title=None),
        yOffset=alt.YOffset("teacher:N", sort=names.teachers),
        tooltip=_tooltip("series:N", "teacher:N", "seed:O", "score:Q", "mean:Q", score=metric),
    )
    x = alt.X(
        "score:Q",
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(title=f"test {metric}, %", tickCount=5),
    )
    dots = base.mark_point(filled=True, size=32, opacity=0.8).encode(
        x=x, color=_colour(names, legend=False), shape=_shape(names)
    )
    means = base.mark_tick(style="ink", thickness=2, size=11).encode(x="mean:Q")
    return _panels(alt.layer(dots, means).properties(width=PANEL, height=alt.Step(11)), names)


def cost_chart(names: Names, metric: str) -> alt.FacetChart:
    """Test score against inference time per node, teachers and students.

    ``metric`` is the title of the score.
    """
    time = alt.Scale(type="log", nice=False, padding=14)
    x = alt.X(
        "seconds:Q",
        scale=time,
        title="inference, s per node (log)",
        axis=alt.Axis(format="~s", tickCount=4, grid=False),
    )
    title = f"test {metric}, %"
    y = alt.Y("score:Q", scale=alt.Scale(zero=False, padding=8), title=title)
    color, shape = _colour(names), _shape(names)
    tooltip = _tooltip(
        "series:N", "teacher:N", "score:Q", "seconds:Q", "fast:Q", "slow:Q", "megabytes:Q",
        score=metric,
    )  # fmt: skip
    base = alt.Chart()
    spread = base.mark_rule(opacity=0.7).encode(
        x=x, y=alt.Y("below:Q", title=title), y2="above:Q", color=color
    )
    points = base.mark_point(
        size=80, strokeWidth=2, opacity=1
    ).encode(  # rings show what they overlap
        x=x, y=y, color=color, shape=shape, tooltip=tooltip
    )
    chart = alt.layer(spread, points).properties(width=PANEL, height=170)
    return _panels(chart, names, apart=True)


def curves_chart(names: Names) -> alt.FacetChart:
    """Validation accuracy by epoch: mean over seeds, and the band from the worst to the best."""
    base = alt.Chart().encode(
        x=alt.X("epoch:Q", scale=alt.Scale(nice=False), axis=alt.Axis(title="epoch", tickCount=5)),
        color=_colour(names),
    )
    title = "validation accuracy, %"
    band = base.mark_area(opacity=0.1).encode(
        y=alt.Y("low:Q", scale=alt.Scale(zero=False), title=title), y2="high:Q"
    )
    mean = base.mark_line(strokeWidth=1.6).encode(
        y=alt.Y("mean:Q", title=title),
        detail="series:N",
        tooltip=_tooltip("series:N", "epoch:Q", "mean:Q", "low:Q", "high:Q"),
    )
    chosen = alt.selection_point(name="chosen", fields=["kind"], bind="legend")
    chart = alt.layer(band, mean.add_params(chosen)).properties(width=PANEL, height=170)
    flat: list[str | alt.FieldName] = ["epoch", "mean", "low", "high"]
    faceted: alt.FacetChart = (
        _panels(chart, names, apart=True)
        .transform_filter(chosen)
        .transform_joinaggregate(lowest="min(final)", groupby=["panel"])
        .transform_flatten(flat, flat)
        .transform_filter(f"datum.mean >= datum.lowest - {RISE}")
        .transform_calculate(low=f"max(datum.low, datum.lowest - {RISE})")
    )
    return faceted


def classes_chart() -> alt.FacetChart:
    """The confusion matrices of students and teachers: a row per true class."""
    base = alt.Chart().encode(
        x=alt.X("predicted:O", title="predicted class", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("true:N", title="true class", sort=alt.EncodingSortField("row", "min")),
        tooltip=_tooltip("true:N", "predicted:O", "count:Q", "share:Q"),
    )
    shade = alt.Scale(domain=[0, 100], range=["#0067a300", "#0067a3"])
    cells = base.mark_rect().encode(color=alt.Color("share:Q", scale=shade, legend=None))
    texts = base.mark_text(fontSize=10).encode(text=alt.Text("share:Q", format=".0f"))
    matrix = alt.layer(cells, texts, width=alt.Step(30), height=alt.Step(20))
    models = alt.Facet("model:N", sort=["student", "teacher"], title=None)
    flat: list[str | alt.FieldName] = ["model", "row", "true", "predicted", "count", "share"]
    faceted: alt.FacetChart = (
        matrix.properties(data=alt.NamedData("rows"))
        .facet(models, columns=2)
        .resolve_scale(x="independent", y="independent")
        .transform_flatten(flat, flat)
        .transform_impute("share", "predicted", groupby=["model", "row", "true"], value=0)
        .transform_calculate(count="isValid(datum.count) ? datum.count : 0")
    )
    return faceted


def _panels(
    chart: alt.LayerChart | alt.FacetChart, names: Names, *, apart: bool = False
) -> alt.FacetChart:
    """Small multiples, each with its own x axis, and with its own y axis when ``apart``."""
    facet = alt.Facet("panel:N", sort=names.panels, title=None)
    columns = min(COLUMNS, max(2, len(names.datasets)))
    faceted: alt.FacetChart = (
        chart.properties(data=alt.NamedData("rows"))
        .facet(facet, columns=columns)
        .resolve_scale(x="independent", y="independent" if apart else "shared")
    )
    if apart:
        faceted.bounds, faceted.spacing = "flush", {"row": 70, "column": 60}
    return faceted


def _colour(names: Names, *, legend: bool = True) -> alt.Color:
    scale = alt.Scale(domain=names.kinds, range=list(colours(names.kinds).values()))
    shown = alt.Legend(title=None, symbolOpacity=1) if legend else None
    return alt.Color("kind:N", scale=scale, legend=shown)


def _shape(names: Names) -> alt.Shape:
    scale = alt.Scale(domain=names.teachers, range=list(SHAPES))
    return alt.Shape("teacher:N", scale=scale, title="teacher")


def _tooltip(*fields: str, **titles: str) -> list[alt.Tooltip]:
    """The fields, each with its title, by default its name."""
    names = {field: field.partition(":")[0] for field in fields}
    return [alt.Tooltip(field, title=titles.get(name, name)) for field, name in names.items()]
