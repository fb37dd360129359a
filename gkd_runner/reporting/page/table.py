"""The comparison table of the page: a row per configuration, every column sortable."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gkd_runner.reporting.table import lettered
from gkd_runner.reporting.text import Facts, gap_text, group_name, notes_on, stage_text
from gkd_runner.results.compare import Comparison
from gkd_runner.results.scores import STAGES
from gkd_runner.results.selection import CONFIGURATION, PLACE
from gkd_runner.results.verdict_text import nodes_text

DIMENSIONS = (*PLACE, "method")

MEANS = {
    "agreement": (
        "agreement", "with teacher", "share of test nodes on which student and teacher agree", 3,
    ),
    "kl": (
        "agreement", "KL",
        "KL divergence from teacher to student over the test nodes, in nats", 3,
    ),
    "accuracy_where_teacher_errs": (
        "agreement", "right where it errs", "the student's accuracy where the teacher errs", 3,
    ),
    "teacher_calibration_error": (
        "calibration error", "teacher", "expected calibration error on the test nodes", 3,
    ),
    "student_calibration_error": (
        "calibration error", "student", "expected calibration error on the test nodes", 3,
    ),
    "teacher_seconds": ("training, s", "teacher", "wherever it was trained", 1),
    "student_seconds": ("training, s", "student", "seconds of training", 1),
}  # fmt: skip
"""Columns of means over seeds: heading above, heading, meaning, decimals."""


def columns(comparison: Comparison) -> list[dict[str, str]]:
    """Each column: its key in the page's address, heading above, heading, meaning, class."""
    accuracy = "mean ± population std over seeds"
    gap = "paired over seeds or splits: mean ± population std, * where p < 0.05 (pairs won of all)"
    rows = [
        *((name, "", name, "", "") for name in DIMENSIONS),
        ("seeds", "", "n", "number of splits and seeds", "number"),
        ("nodes", "", "nodes", "number of test nodes that one accuracy is over", "number"),
        *((f"{s}-accuracy", "test accuracy, %", s, accuracy, "number") for s in STAGES),
        *((f"minus-{b}", "student minus, points", b, gap, "number") for b in comparison.gaps),
        *(
            (name.replace("_", "-"), above, heading, f"{meaning}; mean over seeds", "number")
            for name, (above, heading, meaning, _) in MEANS.items()
        ),
    ]
    names = ("key", "above", "name", "meaning", "kind")
    return [dict(zip(names, row, strict=True)) for row in rows]


def rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Each configuration: the names that the page filters by, its cells, mark, notes and runs."""
    gaps = {base: frame.to_dict("index") for base, frame in comparison.gaps.items()}
    letters = footnotes(comparison)
    return [
        {
            **{name: row[name] for name in DIMENSIONS},
            "group": group_name(row),
            "cells": list(_cells(row, gaps)),
            "mark": row["mark"],
            "letters": [letters[note] for note in notes_on(row)],
            "runs": row["runs"],
        }
        for row in comparison.summary.reset_index().to_dict("records")
    ]


def footnotes(comparison: Comparison) -> dict[str, str]:
    """The letter of each footnote of the table."""
    rows = comparison.summary.to_dict("records")
    return lettered(note for row in rows for note in notes_on(row))


def _cells(row: Facts, gaps: Mapping[str, Mapping[tuple[str, ...], Facts]]) -> Iterator[Any]:
    """The text of each cell, and the number by which the page sorts it (empty for names)."""
    yield from ((row[name], "") for name in DIMENSIONS)
    yield str(row["seeds"]), str(row["seeds"])
    yield nodes_text([row["fewest_nodes"], row["most_nodes"]]), str(row["fewest_nodes"])
    for stage in STAGES:
        yield stage_text(row, stage), _sortable(row[f"{stage}_mean"])
    for gap in (
        of_base.get(tuple(row[name] for name in CONFIGURATION)) for of_base in gaps.values()
    ):
        yield (gap_text(gap), _sortable(gap["mean"])) if gap else ("", "")
    for name, (*_, decimals) in MEANS.items():
        mean = row[name]
        yield ("" if math.isnan(mean) else f"{mean:.{decimals}f}"), _sortable(mean)


def _sortable(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
