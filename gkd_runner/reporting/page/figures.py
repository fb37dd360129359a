"""The figures of the page: what each shows, from which records, and its files for papers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
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
from gkd_runner.reporting.page.inference import FILE, HOW, cost_records, read_inference
from gkd_runner.reporting.series import Names, names_of, seed_records, series_of
from gkd_runner.reporting.text import PARTS, metric_title
from gkd_runner.results.compare import Comparison
from gkd_runner.results.selection import PLACE
from gkd_runner.studies.inference import STUDENTS, student_model

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
        _cost(series, names, read_inference(sources), comparison.metric),
        *_classes(series, comparison),
        _curves(series, names, read_stored(sources)),
    ]


def _seeds(series: pd.DataFrame, names: Names, comparison: Comparison) -> Figure:
    part = PARTS[comparison.inductive_part]
    over = f"; inductive: over the {part}" if "inductive" in names.settings else ""
    text = f"A dot per seed, a bar at the mean of each row{over}. Shapes are teachers."
    spec = _spec(charts.seeds_chart(names, METRICS[comparison.metric].title), seed_records(series))
    return Figure("seeds", "Every seed", text, spec)


def _cost(series: pd.DataFrame, names: Names, measured: pd.DataFrame, metric: str) -> Figure:
    title = f"{metric_title(metric)} against inference time"
    records = cost_records(series, measured)
    if not records:
        text = f"No inference times of these models: {HOW} writes {FILE} into the output folder."
        return Figure("cost", title, text, None)
    own = [method for method in names.methods if student_model(method, measured) != STUDENTS[0]]
    beforehand = f"; features of {' and '.join(own)} were propagated beforehand" if own else ""
    widths = sorted({record["width"] for record in records})
    text = (
        f"Mean test {METRICS[metric].title} ± population std over seeds, and the median time to"
        " predict a node."
        f" Left is cheaper, up is better{beforehand}. Times are of models with hidden"
        f" width{'' if len(widths) == 1 else 's'} {', '.join(map(str, widths))}."
    )
    spec = _spec(charts.cost_chart(names, METRICS[metric].title), records)
    return Figure("cost", title, text, spec, ("batch", "machine"))


def _classes(series: pd.DataFrame, comparison: Comparison) -> Iterator[Figure]:
    records = class_records(series, comparison.selected)
    if records:
        text = (
            "Of the test nodes of each true class (rows, with the F1 of the class), the share in %"
            " that the students predict as each class, over all seeds. Inductive runs: over all"
            " test nodes."
        )
        spec = _spec(charts.classes_chart(), records)
        yield Figure("classes", "Class by class", text, spec, (*PLACE, "method"), saved=False)


def _curves(series: pd.DataFrame, names: Names, stored: Stored) -> Figure:
    title, (records, missing) = "Learning curves", curve_records(series, stored)
    lost = f"{missing} runs have no curves in the sources" if missing else ""
    if not records:
        text = f"{lost}: give the output folder of gkd-train, or what gkd-tables --out wrote of it."
        return Figure("curves", title, text, None)
    text = (
        "Validation accuracy by epoch: mean over seeds, and the band from the lowest to the highest"
        f" (at most {POINTS} epochs of each; from {charts.RISE} points below the lowest final one)."
        " A seed that has stopped goes on with the accuracy of its best state."
        f"{f' {lost}; their curves are not shown.' if lost else ''}"
    )
    spec = _spec(charts.curves_chart(names), records)
    return Figure("curves", title, text, spec, ("setting", "teacher"))


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
