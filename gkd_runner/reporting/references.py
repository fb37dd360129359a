"""Published accuracies and those of the papers' released code, beside our own.

``references.csv`` holds accuracies in %, ``claims.csv`` the papers' average gains in points. No
other figure is ever shown as published.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gkd_runner.reporting.notes import Notes, notes_of
from gkd_runner.reporting.table import Table, make_table
from gkd_runner.reporting.text import own_teacher, setting_text
from gkd_runner.results.compare import FEWEST_GRAPHS, TOLERANCE, Comparison, differences, mean, std
from gkd_runner.results.selection import (
    CONFIGURATION,
    DATASETS,
    PLACE,
    SETTINGS,
    TEACHERS,
    in_order,
)
from gkd_runner.results.verdict_text import mean_text, nodes_text

HERE = Path(__file__).parent


def references(group: Mapping[str, str]) -> pd.DataFrame:
    """The accuracies known for the group's protocol; released code ran with ``preset=paper``."""
    known = pd.read_csv(HERE / "references.csv")
    fits = (known["kind"] == "published") | (group["preset"] == "paper")
    return known[fits & (known["protocol"] == group["protocol"])]


def claims() -> pd.DataFrame:
    """The papers' average gains of ``method`` over ``over``, in a setting or in ``both``."""
    return pd.read_csv(HERE / "claims.csv")


def verdict(ours: Sequence[float], accuracy: float, std: float, n: int) -> str:
    """``within``, ``above`` or ``below``: our accuracies (in %) against a reference.

    Within means 1 point, or two standard errors of the difference where both spreads are known;
    ``std`` may be NaN. One seed alone has no verdict.
    """
    if len(ours) < 2:
        return "one seed"
    tolerance = TOLERANCE
    if not math.isnan(std):
        squares = float(np.var(ours)) / (len(ours) - 1), std**2 / (n - 1)
        tolerance = max(tolerance, 2 * math.sqrt(sum(squares)))
    return _side(float(np.mean(ours)) - accuracy, tolerance)


def _side(gap: float, tolerance: float) -> str:
    if abs(gap) <= tolerance:
        return "within"
    return "above" if gap > 0 else "below"


def single_accuracies(comparison: Comparison, group: Mapping[str, str]) -> Table | None:
    """Published accuracies, and those of released code, beside ours; a block per source."""
    notes = notes_of(comparison, list(group.values()))
    caption = (
        "Published accuracies, and what the papers' released code gave, beside ours; within means"
        f" 1 point or two standard errors, whichever is more.{notes.said_once}"
    )
    summary = comparison.summary.to_dict("index")
    selected = comparison.selected.set_index(CONFIGURATION).sort_index()
    cells: list[dict[str, Any]] = []
    for number, known in enumerate(references(group).to_dict("records")):
        names = (*group.values(), *(known[name] for name in (*PLACE, "method")))
        if names in summary:
            ours = selected.loc[[names], f"{known['stage']}_{known['part']}"].dropna()
            over = setting_text(known["setting"], known["part"])
            row = {
                "row": number,
                "block": f"{known['source']}; {known['seeds']}; {over}",
                "label": names[-1] if known["stage"] == "student" else own_teacher(names[-1]),
            }
            nodes = _nodes(selected.loc[[names]], known)
            beside = _beside(known, ours, summary[names], nodes, notes)
            cells += [row | {"column": column} | cell for column, cell in beside.items()]
    columns = ("graph", "teacher", "nodes", "theirs", "here", "verdict")
    return make_table("Published accuracies and released code", caption, cells, columns)


def _nodes(runs: pd.DataFrame, known: Mapping[str, Any]) -> str:
    """The number of nodes that our accuracies beside a known one are over."""
    hidden, every = runs["hidden_nodes"], runs["test_nodes"]
    counts = {"test": every, "test_hidden": hidden, "test_observed": every - hidden}[known["part"]]
    return nodes_text(counts)


def _beside(
    known: Mapping[str, Any], ours: pd.Series, facts: Mapping[str, Any], nodes: str, notes: Notes
) -> dict[str, dict[str, Any]]:
    accuracy, spread = known["accuracy"], known["std"]
    return {
        "graph": {"text": known["dataset"]},
        "teacher": {"text": known["teacher"]},
        "nodes": {"text": nodes},
        "theirs": {"text": f"{accuracy:.2f}" + ("" if math.isnan(spread) else f"±{spread:.2f}")},
        "here": {
            "text": f"{mean_text(mean(ours), std(ours), len(ours))} ({len(ours)})"
            if len(ours)
            else "no such nodes",
            "notes": notes.on(facts),
            "runs": facts["runs"],
        },
        "verdict": {"text": verdict(list(100 * ours), accuracy, spread, known["n"])},
    }


def average_gains(comparison: Comparison, group: Mapping[str, str]) -> Table | None:
    """The papers' average gains beside ours, over all teachers and with each alone.

    A gain over fewer than ``FEWEST_GRAPHS`` says nothing about a claim over six or seven; the
    caption counts those that are left out.
    """
    measured = list(gains(comparison, group))
    shown = [row for row in measured if int(row["graphs"]) >= FEWEST_GRAPHS]
    few = len(measured) - len(shown)
    caption = (
        "Average gains in points that the papers claim over their own datasets and teachers, and"
        " the mean of the paired differences here; within means within 1 point."
        + (f" Left out: {few} over fewer than {FEWEST_GRAPHS} graphs." if few else "")
    )
    columns = ["setting", "teachers", "graphs", "nodes", "claimed", "here", "verdict"]
    cells = [
        {"block": "", "label": row["label"], "row": number, "column": column, "text": row[column]}
        for number, row in enumerate(shown)
        for column in columns
    ]
    return make_table("Average gains", caption, cells, columns)


def gains(comparison: Comparison, group: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Each claim with what was measured, as texts; none where nothing was measured.

    A claim for both settings is compared with each.
    """
    known = claims()
    measured = {base: _of_group(comparison, base, group) for base in known["over"].unique()}
    here = comparison.summary.xs(tuple(group.values()), level=list(group))
    present = in_order(here.index.get_level_values("teacher"), TEACHERS)
    for teachers in dict.fromkeys([tuple(present), *((teacher,) for teacher in present)]):
        for claim in known.to_dict("records"):
            gaps = measured[claim["over"]]
            gaps = gaps[(gaps["method"] == claim["method"]) & gaps["teacher"].isin(teachers)]
            for setting in SETTINGS if claim["setting"] == "both" else (claim["setting"],):
                of_setting = gaps[gaps["setting"] == setting]
                if len(of_setting):
                    yield _gain(claim, setting, teachers, of_setting)


def _of_group(comparison: Comparison, base: str, group: Mapping[str, str]) -> pd.DataFrame:
    gaps = comparison.gaps.get(base)
    gaps = differences(comparison.selected, base) if gaps is None else gaps
    rows = gaps.join(comparison.summary[["fewest_nodes", "most_nodes"]]).reset_index()
    rows = rows[rows["dataset"].isin(DATASETS)]  # graphs of one's own are in no paper
    return rows[(rows[list(group)] == pd.Series(group)).all(axis=1)]


def _gain(
    claim: Mapping[str, Any], setting: str, teachers: Sequence[str], gaps: pd.DataFrame
) -> dict[str, str]:
    points, graphs = mean(100 * gaps["mean"]), gaps["dataset"].nunique()
    return {
        "label": f"{claim['method']} - {claim['over']} ({claim['source']})",
        "setting": setting,
        "teachers": ", ".join(teachers),
        "graphs": str(graphs),
        "nodes": nodes_text(pd.concat([gaps["fewest_nodes"], gaps["most_nodes"]])),
        "claimed": f"{claim['points']:+.2f}",
        "here": f"{points:+.2f}",
        "verdict": _side(points - claim["points"], TOLERANCE),
    }
