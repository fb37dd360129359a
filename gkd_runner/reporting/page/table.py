"""The comparison table of the page: a row per configuration, every column sortable."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gkd_runner.options.metrics import METRICS
from gkd_runner.reporting.notes import Notes, notes_of
from gkd_runner.reporting.page.verdict import gap_parts
from gkd_runner.reporting.table import lettered
from gkd_runner.reporting.text import Facts, group_name, stage_text
from gkd_runner.results.compare import Comparison, baseline
from gkd_runner.results.scores import STAGES
from gkd_runner.results.selection import CONFIGURATION, GROUP, PLACE
from gkd_runner.results.verdict_text import nodes_text

DIMENSIONS = (*PLACE, "method")

MAIN, PHONE, MORE = "main", "phone", "more"
"""Where a column is shown: beside others on a screen, on a phone as well, or on request alone."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        key: its name in the page's address and in the CSV that the page saves.
        heading: its heading.
        meaning: what its numbers are.
        level: one of ``MAIN``, ``PHONE`` and ``MORE``.
        ends: the names of further columns of the CSV, beside the mean.
    """

    key: str
    heading: str
    meaning: str = ""
    level: str = MAIN
    ends: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """True for all but names."""
        return self.key not in DIMENSIONS


@dataclass(frozen=True)
class Mean:
    """A column of ``summary``: its heading, meaning and number of decimals; a share in percent."""

    name: str
    heading: str
    meaning: str
    decimals: int
    level: str = MORE
    is_share: bool = False


MEANS = (
    Mean("speed_up", "times as fast as teacher",
         "time of the teacher for one node over that of the student; median over seeds, for which"
         " a run times one teacher, and one student of each variant that was kept", 1, MAIN),
    Mean("student_seconds", "training,\u00a0s",
         "seconds of training the student, by the wall clock: longer on a machine that was shared",
         1, MAIN),
    Mean("student_parameters", "parameters", "trained numbers of the student", 0, MAIN),
    Mean("teacher_seconds", "teacher's training, s", "wherever it was trained", 1),
    Mean("agreement", "agreement with teacher",
         "share of test nodes on which student and teacher agree", 3),
    Mean("kl", "KL divergence, nats", "from teacher to student, over the test nodes", 3),
    Mean("accuracy_where_teacher_errs", "accuracy where teacher errs",
         "the student's accuracy on the test nodes that the teacher has wrong", 3),
    Mean("teacher_calibration_error", "teacher's calibration error",
         "expected calibration error on the test nodes", 3),
    Mean("student_calibration_error", "student's calibration error",
         "expected calibration error on the test nodes", 3),
)  # fmt: skip


def columns(comparison: Comparison) -> list[Column]:
    """The columns that have a value in some row."""
    metric = comparison.metric
    name = METRICS[metric].title
    score = f"test {name} in %, mean ± population std over seeds"
    gap = "student minus {}, points: paired over seeds or splits, with a 95% t interval"
    levels = {"dataset": PHONE, "method": PHONE}
    return [
        *(Column(name, name, level=levels.get(name, MAIN)) for name in DIMENSIONS),
        Column("seeds", "seeds", "number of seeds, over all splits"),
        Column("nodes", "test nodes", f"number of test nodes that one {name} is over"),
        Column(score_key("teacher", metric), f"teacher's {name},\u00a0%", score,
               ends=("teacher-std",)),
        Column(score_key("student", metric), f"student's {name},\u00a0%", score, PHONE,
               ("student-std",)),
        Column("rank", "rank", "place among the methods of this graph, setting and teacher"),
        *(
            Column(f"minus-{base}", f"minus {base}, points", gap.format(base), _level(base),
                   (f"minus-{base}-low", f"minus-{base}-high"))
            for base in comparison.gaps
        ),
        *(
            Column(mean.name.replace("_", "-"), mean.heading, mean.meaning, mean.level)
            for mean in _known(comparison)
        ),
    ]  # fmt: skip


def _level(base: str) -> str:
    """Where the difference to ``base`` is shown."""
    return {"teacher": MAIN, baseline(): PHONE}.get(base, MORE)


def score_key(stage: str, metric: str) -> str:
    """The key of the column of ``teacher`` or ``student``: ``student-macro-f1``."""
    return f"{stage}-{metric.replace('_', '-')}"


def rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Each configuration: the names that the page filters by, its cells, mark, notes and runs."""
    gaps = {base: frame.to_dict("index") for base, frame in comparison.gaps.items()}
    letters, notes, known = footnotes(comparison), _notes(comparison), _known(comparison)
    return [
        {
            **{name: row[name] for name in DIMENSIONS},
            "group": group_name(row),
            "cells": list(_cells(row, gaps, known)),
            "mark": row["mark"],
            "letters": [letters[group_name(row)][n] for n in notes[group_name(row)].on(row)],
            "runs": row["runs"],
        }
        for row in comparison.summary.reset_index().to_dict("records")
    ]


def footnotes(comparison: Comparison) -> dict[str, dict[str, str]]:
    """The letter of each footnote, by the name of the group that it belongs to."""
    rows = comparison.summary.reset_index().to_dict("records")
    return {
        group: lettered(note for row in rows if group_name(row) == group for note in notes.on(row))
        for group, notes in _notes(comparison).items()
    }


def said_once(comparison: Comparison) -> dict[str, str]:
    """A sentence on the rows of each group that have no footnote, by the group's name."""
    return {group: notes.said_once for group, notes in _notes(comparison).items()}


def _notes(comparison: Comparison) -> dict[str, Notes]:
    groups = comparison.summary.index.droplevel([*PLACE, "method"]).unique()
    return {
        group_name(dict(zip(GROUP, group, strict=True))): notes_of(comparison, group)
        for group in groups
    }


def _known(comparison: Comparison) -> list[Mean]:
    """The means that some configuration has, and the scores by other metrics than the one shown."""
    others = (
        Mean(f"{stage}_{name}", f"{stage}'s {metric.title},\u00a0%",
             "mean over seeds, over the same test nodes", 2, is_share=True)
        for name, metric in METRICS.items() if name != comparison.metric
        for stage in STAGES
    )  # fmt: skip
    known = comparison.summary.notna().any()
    return [mean for mean in (*MEANS, *others) if known[mean.name]]


@dataclass(frozen=True)
class Cell:
    """A cell: its text, the quiet part after it, and its numbers, by the first of which it sorts.

    A name has no numbers.
    """

    text: str
    quiet: str = ""
    numbers: tuple[str, ...] = ()


def _cells(
    row: Facts, gaps: Mapping[str, Mapping[tuple[str, ...], Facts]], known: Sequence[Mean]
) -> Iterator[Cell]:
    yield from (Cell(row[name]) for name in DIMENSIONS)
    yield Cell(str(row["seeds"]), numbers=(str(row["seeds"]),))
    nodes = nodes_text([row["fewest_nodes"], row["most_nodes"]])
    yield Cell(nodes, numbers=(str(row["fewest_nodes"]),))
    for stage in STAGES:
        yield Cell(stage_text(row, stage), numbers=_numbers(row, f"{stage}_mean", f"{stage}_std"))
    yield Cell(_decimals(row["rank"], 0 if row["rank"] % 1 == 0 else 1), "", _numbers(row, "rank"))
    for of_base in gaps.values():
        gap = of_base.get(tuple(row[name] for name in CONFIGURATION))
        yield Cell(*gap_parts(gap), _numbers(gap, "mean", "low", "high")) if gap else Cell("")
    for mean in known:
        shown = (100 if mean.is_share else 1) * row[mean.name]
        yield Cell(_decimals(shown, mean.decimals), "", _numbers(row, mean.name))


def _numbers(row: Facts, *names: str) -> tuple[str, ...]:
    return tuple("" if math.isnan(row[name]) else f"{row[name]:.6g}" for name in names)


def _decimals(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:,.{decimals}f}"
