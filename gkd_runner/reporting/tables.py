"""The tables of a comparison: scores, paired differences, published figures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gkd_runner.config.presets import PresetKey, lacks_row
from gkd_runner.options.metrics import METRICS
from gkd_runner.reporting.methods_table import methods_table
from gkd_runner.reporting.notes import Notes, notes_of
from gkd_runner.reporting.references import average_gains, single_accuracies
from gkd_runner.reporting.table import Table, make_table
from gkd_runner.reporting.text import (
    Facts,
    gap_text,
    group_title,
    metric_title,
    own_teacher,
    replicas_text,
    setting_text,
    stage_text,
)
from gkd_runner.reporting.verdicts import overall_table, verdict_table
from gkd_runner.results.compare import FEWEST_PAIRS, Comparison
from gkd_runner.results.selection import (
    DATASETS,
    GROUP,
    PLACE,
    distils,
    in_order,
    in_rank,
    options_apart,
)
from gkd_runner.results.verdict import verdicts
from gkd_runner.results.verdict_overall import overalls
from gkd_runner.results.verdict_text import NODES, nodes_text

Configuration = tuple[str, ...]
"""A configuration by its names, in the order of ``CONFIGURATION``."""


@dataclass(frozen=True)
class Block:
    """The methods and graphs under one heading, in one setting and with one teacher."""

    group: tuple[str, ...]
    setting: str
    teacher: str
    heading: str
    part: str
    methods: list[str]
    datasets: list[str]
    notes: Notes

    def names(self, dataset: str, method: str) -> Configuration:
        """The names of the configuration in one cell."""
        return (*self.group, dataset, self.setting, self.teacher, method)

    def node_counts(
        self, shown: Mapping[Configuration, Facts], heading: str
    ) -> Iterator[dict[str, Any]]:
        """The cells of a row with the number of nodes that the scores are over."""
        for dataset in self.datasets:
            names = (self.names(dataset, method) for method in self.methods)
            rows = [shown[name] for name in names if name in shown]
            text = nodes_text(row[end] for row in rows for end in ("fewest_nodes", "most_nodes"))
            yield {"block": heading, "label": NODES[self.part], "column": dataset, "text": text}


def make_tables(comparison: Comparison, failed: pd.DataFrame) -> dict[str, list[Table]]:
    """The tables of each protocol, preset and calibration, by their common heading.

    The verdict comes first, and the largest group before others. ``failed`` has the names of the
    configurations of which a run failed.
    """
    of_groups, judged, over_graphs = {}, verdicts(comparison), overalls(comparison)
    in_papers = comparison.metric == "accuracy"  # the only metric that they publish
    sizes = comparison.summary.groupby(level=GROUP, sort=False).size()
    for names in sizes.sort_values(ascending=False, kind="stable").index:
        summary = comparison.summary.xs(names, level=GROUP, drop_level=False)
        group = dict(zip(GROUP, names, strict=True))
        same = (failed["protocol"] == group["protocol"]) & (failed["preset"] == group["preset"])
        here = failed.loc[same, [*PLACE, "method"]]
        blocks = list(
            _blocks(comparison, names, pd.concat([summary.reset_index()[here.columns], here]))
        )
        of_settings = [each for each in over_graphs if group.items() <= each.names.items()]
        of_teachers = [each for each in judged if group.items() <= each.names.items()]
        several = len(of_teachers) > sum(len(each.graphs) for each in of_settings)
        made = (
            *map(overall_table, of_settings),
            _scores(blocks, comparison, set(here.itertuples(index=False, name=None))),
            methods_table(comparison, group),
            _differences(blocks, comparison),
            verdict_table(of_teachers) if several else None,
            average_gains(comparison, group) if in_papers else None,
            single_accuracies(comparison, group) if in_papers else None,
        )
        of_groups[group_title(group)] = [table for table in made if table]
    return of_groups


def _blocks(comparison: Comparison, group: tuple[str, ...], tried: pd.DataFrame) -> Iterator[Block]:
    """A block per setting and teacher that was ``tried``, with success or not."""
    notes = notes_of(comparison, group)
    datasets = in_order(tried["dataset"], DATASETS)
    ranked = in_rank(tried, ["setting", "teacher", "method"])
    for (setting, teacher), here in ranked.groupby(["setting", "teacher"], sort=False):
        part = comparison.part(setting)
        over = setting_text(setting, part)
        methods = list(here["method"].unique())
        heading = f"{over}; {teacher} teacher"
        yield Block(group, setting, teacher, heading, part, methods, datasets, notes)


def _scores(
    blocks: list[Block], comparison: Comparison, failures: set[Configuration]
) -> Table | None:
    name = METRICS[comparison.metric].title
    caption = (
        f"Test {name} in %, mean ± population std over splits and seeds (their number where it"
        " differs). The best method is bold and the second underlined, unless a paired t test"
        " cannot tell them from the next (p >= 0.05). The last row counts the nodes that one"
        f" {name} is over.{_lacking(comparison.metric)}{blocks[0].notes.said_once}"
    )
    shown = comparison.summary.to_dict("index")
    cells = (cell for block in blocks for cell in _score_cells(block, shown, failures))
    return make_table(metric_title(comparison.metric), caption, cells, blocks[0].datasets)


def _lacking(metric: str) -> str:
    """Why the metric may be missing."""
    if metric == "accuracy":
        return ""
    if METRICS[metric].two_classes:
        return " Graphs of more than two classes and runs of earlier versions have none."
    return " Runs of earlier versions have none."


def _score_cells(
    block: Block, shown: Mapping[Configuration, Facts], failures: set[Configuration]
) -> Iterator[dict[str, Any]]:
    """Students, and the teacher that they share or each method's own."""
    places = list(itertools.product(block.methods, block.datasets))
    rows = {(m, d): row for m, d in places if (row := shown.get(block.names(d, m)))}
    counts = {(row["seeds"], row["splits"]) for row in rows.values()}
    with_n = len({n for n, _ in counts}) > 1
    heading = block.heading + (f"; {replicas_text(*counts.pop())}" if len(counts) == 1 else "")
    common = block.group[GROUP.index("preset")] == "common"

    def cell(label: str, dataset: str, **fields: Any) -> dict[str, Any]:
        return {"block": heading, "label": label, "column": dataset, **fields}

    for dataset in block.datasets if common else ():
        here = [row for method in block.methods if (row := rows.get((method, dataset)))]
        most_seeds = max(here, key=lambda row: row["seeds"], default=None)
        yield cell("teacher", dataset, **_teacher(most_seeds, with_n, block.notes))
    for method in block.methods:
        for dataset in block.datasets:
            row = rows.get((method, dataset))
            why = "" if row else _why_empty(block, dataset, method, failures)
            shown_cell = _student(row, with_n, block.notes) if row else {"text": why}
            yield cell(method, dataset, **shown_cell)
        for dataset in block.datasets if distils(method) and not common else ():
            row = rows.get((method, dataset))
            yield cell(own_teacher(method), dataset, **_teacher(row, with_n, block.notes))
    yield from block.node_counts(shown, heading)


def _student(row: Facts, with_n: bool, notes: Notes) -> dict[str, Any]:
    text = stage_text(row, "student", with_n=with_n)
    return {"text": text, "mark": row["mark"], "notes": notes.on(row), "runs": row["runs"]}


def _teacher(row: Facts | None, with_n: bool, notes: Notes) -> dict[str, Any]:
    if row is None:
        return {}
    text = stage_text(row, "teacher", with_n=with_n)
    return {"text": text, "notes": notes.on_teacher(row), "runs": row["runs"]}


def _why_empty(block: Block, dataset: str, method: str, failures: set[Configuration]) -> str:
    if (dataset, block.setting, block.teacher, method) in failures:
        return "failed"
    preset = block.group[GROUP.index("preset")]
    key = PresetKey(preset, None, dataset, block.teacher, block.setting, method)
    published = dataset not in DATASETS or not lacks_row(key)
    return "not run" if preset != "paper" or published else "not published"


def _differences(blocks: list[Block], comparison: Comparison) -> Table | None:
    metric = comparison.metric
    of_metric = "" if metric == "accuracy" else f" of {METRICS[metric].title}"
    caption = (
        f"Difference{of_metric} in points,"
        " paired over the same seeds, or over splits (each the mean of its"
        " seeds) where there are several: mean ± population std, pairs won of all; * where a paired"
        f" t test of at least {FEWEST_PAIRS} pairs, not all equal, has p < 0.05."
    )
    gaps = {base: frame.to_dict("index") for base, frame in comparison.gaps.items()}
    shown = comparison.summary.to_dict("index")
    cells = (cell for block in blocks for cell in _difference_cells(block, shown, gaps))
    return make_table("Differences", caption, cells, blocks[0].datasets)


def _difference_cells(
    block: Block,
    shown: Mapping[Configuration, Facts],
    gaps: Mapping[str, Mapping[Configuration, Facts]],
) -> list[dict[str, Any]]:
    """A row per method and base that have been compared, and the numbers of nodes below them."""
    cells = [
        {"block": block.heading, "label": f"{method} - {base}", "column": dataset, **cell}
        for method, base in itertools.product(block.methods, gaps)
        for dataset, cell in _gaps(block, method, base, gaps[base], shown).items()
    ]
    return [*cells, *block.node_counts(shown, block.heading)] if cells else []


def _gaps(
    block: Block,
    method: str,
    base: str,
    gaps: Mapping[Configuration, Facts],
    shown: Mapping[Configuration, Facts],
) -> dict[str, dict[str, Any]]:
    """A line's cells by graph; nothing if no graph has the difference."""
    cells: dict[str, dict[str, Any]] = {dataset: {} for dataset in block.datasets}
    for dataset in block.datasets:
        names = block.names(dataset, method)
        if names in gaps:
            ours, theirs = shown[names], shown.get(block.names(dataset, base))
            behind = (*ours["runs"], *(theirs["runs"] if theirs else ()))
            apart = options_apart(ours["changed"], theirs["changed"]) if theirs else ()
            cells[dataset] = {
                "text": gap_text(gaps[names]),
                "runs": tuple(dict.fromkeys(behind)),
                "notes": (f"their options differ: {', '.join(apart)}",) if apart else (),
            }
    return cells if any(cells.values()) else {}
