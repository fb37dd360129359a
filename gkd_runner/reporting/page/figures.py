"""The figures of the page: what each shows, from which records, and its files for papers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from gkd_runner.common.files import write_file
from gkd_runner.options.metrics import METRICS
from gkd_runner.reporting.curves import POINTS, Stored, curve_records, read_stored
from gkd_runner.reporting.page import charts
from gkd_runner.reporting.page.classes import class_records
from gkd_runner.reporting.page.figure import Figure, spec_of
from gkd_runner.reporting.page.inference import (
    FILE,
    HOW,
    Configuration,
    cost_records,
    read_inference,
    timed_models,
)
from gkd_runner.reporting.series import Names, names_of, seed_records, series_of
from gkd_runner.reporting.text import PARTS, metric_title
from gkd_runner.results.compare import Comparison, baseline
from gkd_runner.results.selection import PLACE, TEACHERS, in_order
from gkd_runner.results.verdict_text import listed
from gkd_runner.studies.inference import PLAIN, own_model

Records = Sequence[dict[str, Any]]

VEGALITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The version that Altair writes and vl-convert is to read."""

PNG_SCALE = 2

WRITTEN = "written-by-gkd-report.txt"


def own_figures(comparison: Comparison, sources: Sequence[Path]) -> list[Figure]:
    """Seeds, cost, classes (if their numbers were recorded) and learning curves."""
    series, names = series_of(comparison), names_of(comparison)
    return [
        _seeds(series, names, comparison),
        _cost(series, names, read_inference(sources), comparison),
        *_classes(series, comparison),
        _curves(series, names, read_stored(sources)),
    ]


def _seeds(series: pd.DataFrame, names: Names, comparison: Comparison) -> Figure:
    part = PARTS[comparison.inductive_part]
    over = f"; inductive: over the {part}" if "inductive" in names.settings else ""
    text = f"A dot per seed, a bar at the mean of each row{over}. Shapes are teachers."
    spec = _spec(charts.seeds_chart(names, METRICS[comparison.metric].title), seed_records(series))
    return Figure("seeds", "Every seed", text, spec)


def _cost(
    series: pd.DataFrame, names: Names, measured: pd.DataFrame, comparison: Comparison
) -> Figure:
    metric = comparison.metric
    title = f"{metric_title(metric)} against inference time"
    models = timed_models(comparison, measured)
    records = cost_records(series, measured, models)
    if not records:
        text = f"No inference times of these models: {HOW} writes {FILE} into the output folder."
        return Figure("cost", title, text, None)
    widths = listed(sorted({record["width"] for record in records}), "or")
    text = (
        f"Mean test {METRICS[metric].title} ± population std over seeds, and the median time to"
        f" answer for a node. Left is cheaper, up is better. {HOW} measured the times, on"
        f" {listed(sorted({record['setting'] for record in records}))} tasks, with fresh"
        f" models of hidden width {widths}. {_sharing(names, models)}"
    )
    drawn = replace(names, methods=[m for m in names.methods if m in {r["kind"] for r in records}])
    spec = _spec(charts.cost_chart(drawn, METRICS[metric].title), records)
    return Figure("cost", title, text, spec, ("batch", "machine"))


def _sharing(names: Names, models: Mapping[Configuration, str]) -> str:
    """Whose time each student stands at, and which were left out."""
    by_method = {name: {models[c] for c in models if c[-1] == name} for name in names.methods}
    told = {
        "The students of {} were timed on features that were propagated beforehand; the time"
        " to propagate those of a node that arrives is not counted (docs/deploy.md).":
            [name for name, found in by_method.items() if own_model(name) in found - {PLAIN}],
        f"Those of {{}} read raw features, as that of {baseline()} does, and have its time.":
            [name for name, found in by_method.items() if PLAIN in found and name != baseline()],
        "Left out, as their students were not timed: {}.":
            [name + (" (in part)" if len(found) > 1 else "")
             for name, found in by_method.items() if "" in found],
    }  # fmt: skip
    return " ".join(text.format(listed(some)) for text, some in told.items() if some)


def _classes(series: pd.DataFrame, comparison: Comparison) -> Iterator[Figure]:
    records = class_records(series, comparison.selected)
    if records:
        text = (
            "Of the test nodes of each true class (rows, with the F1 of the class), the share in %"
            " that the students and their teachers predict as each class, over all seeds and all"
            f" test nodes.{_hidden_apart(comparison)} The method with the best mean comes first."
        )
        spec = _spec(charts.classes_chart(), records)
        yield Figure("classes", "Class by class", text, spec, (*PLACE, "method"), saved=False)


def _hidden_apart(comparison: Comparison) -> str:
    """A sentence where the scores of inductive runs are over other nodes than the matrices."""
    part = comparison.inductive_part
    if part == "test" or not (comparison.selected["setting"] == "inductive").any():
        return ""
    here = "In inductive runs these are hidden and observed ones, while the tables score"
    return f" {here} {PARTS[part]} alone."


def _curves(series: pd.DataFrame, names: Names, stored: Stored) -> Figure:
    title, (records, missing) = "Learning curves", curve_records(series, stored)
    if not records:
        text = (
            f"{len(missing)} runs have no curves in the sources: give the output folder of"
            " gkd-train, or what gkd-tables --out wrote of it."
        )
        return Figure("curves", title, text, None)
    text = (
        "Validation accuracy by epoch: the mean over seeds, and a band from the lowest to the"
        " highest seed. A click on a name in the legend shows that model alone, one with the shift"
        " key adds another; the axes follow, and a double click shows all again."
        f" A curve is drawn by at most {POINTS} of its epochs. The axis begins"
        f" {charts.RISE} points below the lowest final accuracy that is shown. A seed that has"
        f" stopped goes on with the accuracy of its best state.{_lost(series, missing)}"
    )
    spec = _spec(charts.curves_chart(names), records)
    return Figure("curves", title, text, spec, ("setting", "teacher"))


def _lost(series: pd.DataFrame, missing: set[str]) -> str:
    """How many runs have curves, by teacher; empty if all have."""
    if not missing:
        return ""
    by_teacher = {teacher: set(runs) for teacher, runs in series.groupby("teacher")["run"]}
    counts = [
        f"{len(by_teacher[name] - missing)} of {len(by_teacher[name])} runs with {name}"
        for name in in_order(by_teacher, TEACHERS)
    ]
    return f" The sources have the curves of {listed(counts)}; others are not drawn."


def _spec(chart: alt.FacetChart | alt.LayerChart, records: Records) -> dict[str, Any]:
    return {**spec_of(chart), "datasets": {"rows": list(records)}}


def save(figures: Iterable[Figure], folder: Path) -> list[Path]:
    """Write every figure as SVG and PNG, one per group and choice; the files written.

    Those that an earlier report wrote into ``folder`` go, so that nobody takes them for this one's;
    ``WRITTEN`` lists them, and no other file is touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / WRITTEN
    for name in listed.read_text("utf-8", "replace").splitlines() if listed.is_file() else ():
        (folder / Path(name).name).unlink(missing_ok=True)
    config = charts.config("#1a1a1a", "white")
    paths = []
    for figure in figures:
        for suffix, spec in _parts(figure):
            path = folder / f"{figure.name}{suffix}.svg"
            svg = vl_convert.vegalite_to_svg(spec, vl_version=VEGALITE, config=config)
            write_file(path, svg)
            png = path.with_suffix(".png")
            write_file(png, vl_convert.svg_to_png(svg, scale=PNG_SCALE))
            paths += [path, png]
    write_file(listed, "".join(f"{path.name}\n" for path in paths))
    return paths


def _parts(figure: Figure) -> Iterator[tuple[str, dict[str, Any]]]:
    """The figure with the records of each group and choice, and what to name it by."""
    if figure.spec is None or not figure.saved:
        return
    records = figure.spec.get("datasets", {}).get("rows")
    if records is None:
        yield "", figure.spec
        return
    columns = ("group", *figure.choices)
    for values in dict.fromkeys(tuple(record[column] for column in columns) for record in records):
        mine = [r for r in records if tuple(r[column] for column in columns) == values]
        suffix = re.sub(r"[/ ]", "-", "".join(f"-{value}" for value in values))
        yield suffix, {**figure.spec, "datasets": {"rows": mine}}
