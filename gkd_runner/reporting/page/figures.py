"""The figures of the page: what each shows, from which records, and its files for papers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from gkd_runner.reporting.page import charts
from gkd_runner.reporting.page.curves import POINTS, curves_of
from gkd_runner.reporting.page.figure import Figure, spec_of
from gkd_runner.reporting.page.inference import FILE, HOW, costs, read_inference
from gkd_runner.reporting.page.lines import Names, Series
from gkd_runner.reporting.view import PARTS

Records = Sequence[dict[str, Any]]

VEGALITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The version that Altair writes and vl-convert is to read."""

PNG_SCALE = 2

WRITTEN = "written-by-gkd-report.txt"


def own_figures(
    series: Sequence[Series], names: Names, sources: Sequence[Path], inductive_part: str
) -> list[Figure]:
    """Seeds, cost and learning curves."""
    return [
        _seeds(series, names, inductive_part),
        _cost(series, names, sources),
        _curves(series, names, sources),
    ]


def _seeds(series: Sequence[Series], names: Names, inductive_part: str) -> Figure:
    over = f"; inductive: over the {PARTS[inductive_part]}" if "inductive" in names.settings else ""
    text = f"A dot per seed, a bar at the mean of each row{over}. Shapes are teachers."
    records = [record for each in series for record in _accuracies(each)]
    return Figure("seeds", "Every seed", text, _spec(charts.seeds_chart(names), records))


def _accuracies(series: Series) -> Iterator[dict[str, Any]]:
    mean = series.result.mean(series.stage, series.part)
    for seed, accuracy in series.result.values(series.stage, series.part).items():
        percent = {"accuracy": 100 * accuracy, "mean": 100 * (mean or 0)}
        yield series.fields | {"seed": seed} | {k: round(v, 2) for k, v in percent.items()}


def _cost(series: Sequence[Series], names: Names, sources: Sequence[Path]) -> Figure:
    title = "Accuracy against inference time"
    records = costs(series, read_inference(sources))
    if not records:
        text = f"No inference times of these models: {HOW} writes {FILE} into the output folder."
        return Figure("cost", title, text, None)
    text = (
        "Mean test accuracy ± population std over seeds, and the median time to predict a node."
        " Left is cheaper, up is better; InfGraND's features were propagated beforehand. Times are"
        f" of models with hidden {_listed('width', records)}."
    )
    return Figure(
        "cost", title, text, _spec(charts.cost_chart(names), records), ("batch", "machine")
    )


def _listed(name: str, records: Records) -> str:
    values = sorted({record[name] for record in records})
    return f"{name}{'' if len(values) == 1 else 's'} {', '.join(map(str, values))}"


def _curves(series: Sequence[Series], names: Names, sources: Sequence[Path]) -> Figure:
    title, found = "Learning curves", curves_of(series, sources)
    lost = f"{found.missing} runs left no metrics.jsonl in the sources" if found.missing else ""
    if not found.records:
        text = f"{lost}: a CSV of runs has no curves; give the output folder of gkd-train."
        return Figure("curves", title, text, None)
    text = (
        "Validation accuracy by epoch: mean over seeds, and the band from the lowest to the highest"
        f" (at most {POINTS} epochs of each; from {charts.RISE} points below the lowest final one)."
        " A seed that has stopped goes on with the accuracy of its best state."
        f"{f' {lost}; their curves are not shown.' if lost else ''}"
    )
    spec = _spec(charts.curves_chart(names), found.records)
    return Figure("curves", title, text, spec, ("setting", "teacher"))


def _spec(chart: alt.FacetChart, records: Records) -> dict[str, Any]:
    return {**spec_of(chart), "datasets": {"rows": list(records)}}


def save(figures: Iterable[Figure], folder: Path) -> list[Path]:
    """Write every figure as SVG and PNG, one per group and choice; the files written.

    Those that an earlier report wrote into ``folder`` go, so that nobody takes them for this one's;
    ``WRITTEN`` lists them, and no other file is touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / WRITTEN
    for name in listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else ():
        (folder / Path(name).name).unlink(missing_ok=True)
    config = charts.config("#1a1a1a", "white")
    paths = []
    for figure in figures:
        for suffix, spec in _parts(figure):
            path = folder / f"{figure.name}{suffix}.svg"
            svg = vl_convert.vegalite_to_svg(spec, vl_version=VEGALITE, config=config)
            path.write_text(svg, encoding="utf-8")
            png = path.with_suffix(".png")
            png.write_bytes(vl_convert.svg_to_png(svg, scale=PNG_SCALE))
            paths += [path, png]
    listed.write_text("".join(f"{path.name}\n" for path in paths), encoding="utf-8")
    return paths


def _parts(figure: Figure) -> Iterator[tuple[str, dict[str, Any]]]:
    """The figure with the records of each group and choice, and what to name it by."""
    if figure.spec is None:
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
