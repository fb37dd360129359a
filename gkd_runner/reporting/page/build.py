"""One HTML page that needs nothing but a browser."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Template

import vl_convert

from gkd_runner import __version__
from gkd_runner.reporting.command_line import failed_cells, failures, folders_of
from gkd_runner.reporting.page import charts
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.figures import VEGALITE, own_figures, save
from gkd_runner.reporting.page.lines import Line, Names, lines_of, series_of
from gkd_runner.reporting.page.runs import failures_table, warnings_table
from gkd_runner.reporting.page.studies import study_figures
from gkd_runner.reporting.page.table import table
from gkd_runner.reporting.render import provenance
from gkd_runner.reporting.rows import Row
from gkd_runner.reporting.view import PARTS, views

HERE = Path(__file__).parent
BUNDLE = "window.vegaEmbed = vegaEmbed;"
"""What the page uses of Vega."""


@dataclass(frozen=True)
class Report:
    """All that the page is made of."""

    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    own: tuple[Figure, ...]
    studies: tuple[Figure, ...]
    inductive_part: str


def make_report(rows: Sequence[Row], sources: Sequence[Path], inductive_part: str) -> Report:
    """Select what is compared, and gather its figures."""
    lines = tuple(lines_of(views(rows, inductive_part, failed_cells(sources))))
    series, names = tuple(series_of(lines)), Names(lines)
    own = own_figures(series, names, sources, inductive_part)
    return Report(tuple(rows), lines, tuple(own), tuple(study_figures(sources)), inductive_part)


def write(
    rows: Sequence[Row], out: Path, sources: Sequence[Path], inductive_part: str = "ind"
) -> list[Path]:
    """Write ``report.html`` and ``figures/`` into folder ``out``; the files written."""
    report = make_report(rows, sources, inductive_part)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "report.html"
    path.write_text(page(report, sources, out, datetime.now().astimezone()), encoding="utf-8")
    return [path, *save((*report.own, *report.studies), out / "figures")]


def page(report: Report, sources: Sequence[Path], out: Path, made: datetime) -> str:
    """The page as it is to lie in folder ``out``."""
    names = Names(report.lines)
    seeds, cost, curves = map(_figure, report.own)
    found = list(failures(sources))
    return Template(_asset("page.html")).substitute(
        about=html.escape(_about(report.rows, names, made)),
        filters=_filters(report.lines, names),
        table=table(report.lines),
        accuracy=html.escape(_accuracy(names, report.inductive_part)),
        figures="".join((seeds, cost, curves)),
        studies="".join(map(_figure, report.studies)) or "<p>No studies in the sources.</p>",
        failures=failures_table(found, report.rows, out),
        warnings=warnings_table(report.rows),
        provenance="\n".join(provenance(report.rows, folders_of(report.rows, out, sources))),
        data=_data(report),
        style=_asset("page.css"),
        vega=_script(vl_convert.javascript_bundle(BUNDLE, VEGALITE)),
        figures_script=_asset("figures.js"),
        script=_asset("page.js"),
    )


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _script(code: str) -> str:
    """Code that does not end the element that it stands in."""
    return code.replace("</script", r"<\/script")


def _about(rows: Sequence[Row], names: Names, made: datetime) -> str:
    runs, seeds = len({row.run for row in rows}), sorted({row.seed for row in rows})
    listed = ", ".join(map(str, seeds))
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        listed = f"{seeds[0]} to {seeds[-1]}"
    return (
        f"{_count(runs, 'run')} on {_count(len(names.datasets), 'graph')}"
        f" ({', '.join(names.datasets)}), seeds {listed}; made {made:%Y-%m-%d %H:%M} by gkd-runner"
        f" {__version__}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _accuracy(names: Names, inductive_part: str) -> str:
    over = f" Inductive accuracies are over the {PARTS[inductive_part]}."
    return over if "inductive" in names.settings else ""


def _filters(lines: Sequence[Line], names: Names) -> str:
    groups = Counter(line.view.group for line in lines)
    choices = "".join(
        f'<option value="{html.escape(group.name)}">{html.escape(group.title)}</option>'
        for group, _ in groups.most_common()
    )
    sets = {
        "dataset": names.datasets,
        "setting": names.settings,
        "teacher": names.teachers,
        "method": names.methods,
    }
    boxes = "".join(_boxes(name, values) for name, values in sets.items())
    return f'<label class="group">table <select id="group">{choices}</select></label>{boxes}'


def _boxes(name: str, values: Sequence[str]) -> str:
    colours = charts.colours(values) if name == "method" else {}
    boxes = "".join(
        f'<label{_swatch(colours.get(value))}><input type="checkbox" name="{name}"'
        f' value="{html.escape(value)}">{html.escape(value)}</label>'
        for value in values
    )
    return f"<fieldset><legend>{name}</legend>{boxes}</fieldset>"


def _swatch(colour: str | None) -> str:
    return f' class="swatch" style="--colour: {colour}"' if colour else ""


def _figure(figure: Figure) -> str:
    title, text = html.escape(figure.title), html.escape(figure.text)
    if figure.finding:
        text = f"<strong>{html.escape(figure.finding)}</strong> {text}"
    if figure.spec is None:
        return f'<section id="{figure.name}"><h2>{title}</h2><p>{text}</p></section>'
    choice = (
        f'<label>shown <select data-choice="{figure.name}"></select></label>'
        if figure.choices
        else ""
    )
    return (
        f'<section id="{figure.name}"><h2>{title}</h2><figure><figcaption>{text} {choice}'
        f'</figcaption><div class="chart" data-figure="{figure.name}"></div></figure></section>'
    )


def _data(report: Report) -> str:
    """What the page's script reads."""
    figures = {
        figure.name: {"spec": figure.spec, "choices": figure.choices}
        for figure in (*report.own, *report.studies)
        if figure.spec
    }
    config = charts.config("currentColor", "transparent")
    text = json.dumps({"figures": figures, "config": config}, separators=(",", ":"))
    return text.replace("<", r"\u003c")
