"""One HTML page that needs nothing but a browser."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from inspect import getdoc
from pathlib import Path
from typing import Any

import pandas as pd
import vl_convert
from markupsafe import Markup

from gkd_runner.common.files import write_file
from gkd_runner.common.paths import conf_dir
from gkd_runner.common.version import __version__
from gkd_runner.config.command_line import compose_overrides
from gkd_runner.config.schemas import choices_in
from gkd_runner.methods import METHODS
from gkd_runner.options.metrics import METRICS
from gkd_runner.reporting.page import charts, table
from gkd_runner.reporting.page.colours import colours, on_dark
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.page.figures import VEGALITE, own_figures, save
from gkd_runner.reporting.page.studies import study_figures
from gkd_runner.reporting.page.studies.charts import ALL_COLOURS
from gkd_runner.reporting.page.verdict import verdict_parts
from gkd_runner.reporting.provenance import provenance, read_all_failures, relative
from gkd_runner.reporting.render import templates
from gkd_runner.reporting.series import Names, names_of
from gkd_runner.reporting.text import PARTS, group_name, group_title, spans_text
from gkd_runner.results.compare import Comparison, baseline
from gkd_runner.results.identity import NAMES
from gkd_runner.results.selection import GROUP
from gkd_runner.results.verdict_text import CLEARLY_FASTER_TEXT, LOOKED_UP, WALL_CLOCK
from gkd_runner.results.warnings import WARNINGS, warnings_in

HERE = Path(__file__).parent
BUNDLE = "window.vegaEmbed = vegaEmbed;"
"""The part of Vega that the page uses."""


def write(comparison: Comparison, out: Path, sources: Sequence[Path]) -> list[Path]:
    """Write ``report.html`` and ``figures/`` into folder ``out``; the files written."""
    own, studies = own_figures(comparison, sources), study_figures(sources)
    text = page(comparison, own, studies, read_all_failures(sources), out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "report.html"
    write_file(path, text)
    return [path, *save((*own, *studies), out / "figures")]


def page(
    comparison: Comparison,
    own: Sequence[Figure],
    studies: Sequence[Figure],
    failures: pd.DataFrame,
    out: Path,
) -> str:
    """The page as it is to lie in folder ``out``."""
    names = names_of(comparison)
    shown = (names.datasets, names.settings, names.teachers, names.methods)
    template = templates().get_template("page/page.html")
    return template.render(
        about=_about(comparison.runs, names),
        groups=_groups(comparison),
        filters=dict(zip(table.DIMENSIONS, shown, strict=True)),
        colours=swatches(names.methods),
        methods=_methods(names.methods),
        alone=_without_unsplit(comparison) if "inductive" in names.settings else [],
        dimensions=table.DIMENSIONS,
        verdicts=verdict_parts(comparison),
        plain=baseline(),
        clearly_faster=CLEARLY_FASTER_TEXT,
        looked_up=LOOKED_UP,
        wall_clock=WALL_CLOCK,
        metric=METRICS[comparison.metric].title,
        score=table.score_key("student", comparison.metric),
        columns=table.columns(comparison),
        rows=table.rows(comparison),
        notes=table.footnotes(comparison),
        said_once=table.said_once(comparison),
        over=PARTS[comparison.inductive_part] if "inductive" in names.settings else "",
        own=own,
        studies=studies,
        failures=_failures(failures, comparison.runs, out),
        warnings=_warnings(comparison.runs),
        runs=provenance(comparison.runs, out),
        data=_data((*own, *studies)),
        style=_asset("page.css"),
        vega=_script(vl_convert.javascript_bundle(BUNDLE, VEGALITE)),
        figures_script=_asset("figures.js"),
        script=_asset("page.js"),
    )


def _methods(names: Sequence[str]) -> list[tuple[list[str], str]]:
    """The first line of each installed method's module, with the methods that it describes."""
    meanings = dict[str, list[str]]()
    for name in names:
        if name in METHODS and (text := getdoc(sys.modules[METHODS[name].__module__])):
            meanings.setdefault(text.splitlines()[0], []).append(name)
    return [(those, meaning) for meaning, those in meanings.items()]


def _without_unsplit(comparison: Comparison) -> list[str]:
    """The protocols shown whose inductive training sees no nodes but those of the split.

    A run with changed options of its protocol has another name for it, and is left out.
    """
    shown = set(comparison.selected["protocol"])
    known = [name for name in choices_in([conf_dir()])["protocol"] if name in shown]
    protocols = {name: compose_overrides([f"protocol={name}"]).protocol for name in known}
    return [name for name, protocol in protocols.items() if not protocol.observe_unsplit]


def swatches(methods: Sequence[str]) -> dict[str, Markup]:
    """The style of the dot beside each method's name: its colours on light and on dark ground."""
    return {
        name: Markup(f"--colour: {colour}; --dark: {on_dark(colour)}")  # noqa: S704  # hexadecimal
        for name, colour in colours(methods).items()
    }


def _asset(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))  # noqa: S704  # comes with the package


def _script(code: str) -> Markup:
    """Code that does not end the element that it stands in."""
    return Markup(code.replace("</script", r"<\/script"))  # noqa: S704  # escaped here


def _about(runs: pd.DataFrame, names: Names) -> str:
    made = datetime.now().astimezone()
    return (
        f"{_count(runs['run'].nunique(), 'run')} on {_count(len(names.datasets), 'graph')}"
        f" ({', '.join(names.datasets)}), seeds {spans_text(runs['seed'])};"
        f" made {made:%Y-%m-%d %H:%M} by gkd-runner {__version__}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _groups(comparison: Comparison) -> list[tuple[str, str]]:
    """Name and title of each group, the largest first."""
    sizes = comparison.summary.groupby(level=GROUP, sort=False).size()
    largest = sizes.sort_values(ascending=False, kind="stable").reset_index()
    return [(group_name(row), group_title(row)) for row in largest.to_dict("records")]


def _failures(failures: pd.DataFrame, runs: pd.DataFrame, out: Path) -> list[dict[str, Any]]:
    """Every recorded failure, newest first, and whether its seeds have been finished since."""
    names = list(NAMES)
    done = set(runs[[*names, "seed"]].itertuples(index=False, name=None))
    rows = []
    newest_first = failures.sort_values("time", ascending=False, kind="stable")
    for row in newest_first.to_dict("records"):
        later = all((*(row[name] for name in names), seed) in done for seed in row["seeds"])
        rows.append(row | {
            "group": group_name(row),
            "seeds": ", ".join(map(str, row["seeds"])),
            "when": row["time"][:16].replace("T", " "),
            "log": "traceback",
            "now": "finished since" if later else "missing",
            "links": {"log": relative(row["log"], out)},
        })  # fmt: skip
    return rows


def _warnings(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Collapsed students, flat teachers and what was cut short, by run and seed."""
    warned = runs[runs[list(WARNINGS)].any(axis=1)]
    return [
        row | {
            "group": group_name(row),
            "warning": "; ".join(warnings_in(row)),
            "run": Path(row["run"]).name,
            "links": {"run": f"#{row['run']}"},
        }
        for row in warned.to_dict("records")
    ]  # fmt: skip


def _data(figures: Sequence[Figure]) -> Markup:
    """The specifications and records of the figures, for the page's script."""
    drawn = {
        figure.name: {"spec": figure.spec, "choices": figure.choices}
        for figure in figures
        if figure.spec
    }
    config = charts.config("currentColor", "transparent")
    dark = {colour: on_dark(colour) for colour in ALL_COLOURS}
    text = json.dumps({"figures": drawn, "config": config, "dark": dark}, separators=(",", ":"))
    return Markup(text.replace("<", r"\u003c"))  # noqa: S704  # escaped here
