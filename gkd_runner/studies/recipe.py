"""The study ``recipe``: which part of a student carries its accuracy.

Each published method gets the parts one by one and together, on the same teachers. The choice
among variants belongs to the validation nodes; their accuracy stands beside that of the test nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from rich.table import Table

from gkd_runner.results.bootstrap import Resamples
from gkd_runner.results.cells import Cell, Cells
from gkd_runner.results.selection import PLACE
from gkd_runner.results.versus import Versus, versus
from gkd_runner.studies.measurements import Measurements
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Study, Variant
from gkd_runner.studies.sweep import FORM, places, record, run_cases, wide
from gkd_runner.studies.wording import percent, study_table

PARTS: dict[str, dict[str, str]] = {
    "4 hops": {"method.propagation_hops": "4"},
    "8 hops": {"method.propagation_hops": "8"},
    "dropout on features": {"student.input_dropout": "0.5"},
    "labels": {"method.lam": "0.1"},
    "soft labels of temperature 1.5": {"method.tau": "1.5"},
    "two layers, learning rate 0.01": {
        "student.num_layers": "2",
        "student.learning_rate": "0.01",
    },
    "sampled nodes": {"student.sampled_nodes": "1000"},
    "no calibration": {"calibration": "none"},
}
"""Options of the parts that a method may get."""

TOGETHER = (
    "4 hops",
    "dropout on features",
    "soft labels of temperature 1.5",
    "two layers, learning rate 0.01",
    "sampled nodes",
)
"""Parts of ``OURS``, which every method also gets together."""

RECEIVERS = ("glnn", "krd", "hgmd-weight", "infgrand")
"""Published methods that get the parts together; ``PLAIN`` gets them one by one, too."""

WEIGHTS: dict[str, dict[str, str]] = {
    "influence": {"method": "infgrand", "method.delta_2": "0", "method.gamma_2": "0"},
    "hardness": {"method": "hgmd-weight", "method.hardness": "none"},
}
"""What two of them choose nodes or edges by, and the options of the method without it."""

WITHOUT = {weight: f"{own['method']} without {weight}" for weight, own in WEIGHTS.items()}
"""Names of these methods, which get the parts together, too."""

PLAIN = "glnn"
OURS = "adaprop"

VALIDATION = "validation accuracy"


def _variants() -> dict[str, dict[str, str]]:
    together = {option: value for part in TOGETHER for option, value in PARTS[part].items()}
    found: dict[str, dict[str, str]] = {}
    for method in RECEIVERS:
        found[method] = {"method": method}
        if method == PLAIN:
            found |= {f"{method}, {part}": {"method": method} | own for part, own in PARTS.items()}
        found[f"{method}, together"] = {"method": method} | together
    for weight, options in WEIGHTS.items():
        found[f"{WITHOUT[weight]}, together"] = options | together
    return found | {OURS: {"method": OURS}}


VARIANTS = _variants()


def run(cases: Sequence[Case], _: Measurements) -> Iterator[pd.DataFrame]:
    """Run what is missing; validation accuracy, and test accuracy on the hidden nodes if any."""
    runs = run_cases(cases)
    hidden = runs["student_test_hidden"]
    test = runs["student_test"].where(hidden.isna(), hidden)
    parts = [
        record(runs, "accuracy", test, part=np.where(hidden.isna(), "", "hidden")),
        record(runs, VALIDATION, runs["student_val"], part="val"),
    ]
    yield pd.concat(parts).sort_index(kind="stable")


def table(measured: pd.DataFrame) -> Table:
    """A row per variant: accuracies on each graph, and the mean difference to ``PLAIN``."""
    accuracy = wide(measured, "variant", list(VARIANTS))
    cells = accuracy.groupby(level=PLACE).agg(percent).T
    cells = cells.reindex(columns=pd.MultiIndex.from_tuples(places(measured)))
    cells.columns = ["\n".join(place) for place in cells.columns]
    for heading, measure in {"val": VALIDATION, "test": "accuracy"}.items():
        gains = {name: gain(measured, name, measure=measure) for name in VARIANTS}
        cells[f"{heading}\n- {PLAIN}"] = [_points(gains[str(name)]) for name in cells.index]
    return study_table(
        "accuracy in % of the student on test nodes (the hidden ones of inductive runs), mean ±"
        f" population std over seeds; mean paired difference to {PLAIN} in points, with its 95%"
        " interval over graphs and seeds",
        cells.rename_axis("student"),
        ends=[f"{method}, together" for method in (*RECEIVERS, *WITHOUT.values())],
    )


def gain(
    measured: pd.DataFrame, variant: str, base: str = PLAIN, measure: str = "accuracy"
) -> Versus | None:
    """A variant against another, where both were measured; ``None`` if nowhere or the same."""
    values = wide(measured, "variant", [variant, base], measure=measure).dropna()
    if values.empty or variant == base:
        return None
    cells = tuple(
        Cell(str(dataset), str(setting), str(teacher), own.to_numpy().T)
        for (dataset, setting, teacher), own in values.groupby(level=PLACE, sort=False)
    )
    return versus(Resamples(Cells((variant, base), cells, 0, {})), [(variant, base)])[0]


def _points(gain: Versus | None) -> str:
    if gain is None:
        return ""
    mean, low, high = (100 * end for end in gain.difference)
    return f"{mean:+.2f}" + ("" if np.isnan(low) else f"\n[{low:+.2f}, {high:+.2f}]")


def sentence(measured: pd.DataFrame) -> str:
    """The part that gains most in each setting, and the gain by each weight."""
    settings = measured.groupby("setting", sort=False)
    told = [_best_parts(str(setting), rows) for setting, rows in settings]
    return " ".join([*told, *(_added(measured, weight) for weight in WEIGHTS)])


def _best_parts(setting: str, measured: pd.DataFrame) -> str:
    """The parts that gain most on the test nodes and on the validation nodes of a setting."""
    on_test, on_val = (_gains(measured, measure) for measure in ("accuracy", VALIDATION))
    if not on_test or not on_val:
        return f"In {setting} runs, {PLAIN} with each of the parts was not measured yet."
    carrying, chosen = (max(gains, key=gains.__getitem__) for gains in (on_test, on_val))
    told = f"In {setting} runs, {carrying!r} alone gains most over {PLAIN} on the test nodes"
    gained = f"({_gain_text(measured, carrying)})"
    if carrying == chosen:
        return f"{told} and on the validation nodes {gained}."
    preferred = f"the validation nodes prefer {chosen!r} ({_gain_text(measured, chosen)})"
    return f"{told} {gained}; {preferred}."


def _gains(measured: pd.DataFrame, measure: str) -> dict[str, float]:
    """The mean gain of each part over ``PLAIN``, where both were measured."""
    found = {part: gain(measured, f"{PLAIN}, {part}", measure=measure) for part in PARTS}
    return {part: own.difference.mean for part, own in found.items() if own is not None}


def _gain_text(measured: pd.DataFrame, part: str) -> str:
    """A part's gains over ``PLAIN`` in points, on both groups of nodes."""
    name = f"{PLAIN}, {part}"
    test, val = (_points(gain(measured, name, measure=m)) for m in ("accuracy", VALIDATION))
    return f"test {test}, validation {val} points".replace("\n", " ")


def _added(measured: pd.DataFrame, weight: str) -> str:
    """The gain of a method on the test nodes by its weight, where both have all parts."""
    method = WEIGHTS[weight]["method"]
    found = gain(measured, f"{method}, together", base=f"{WITHOUT[weight]}, together")
    if found is None:
        return f"Not measured yet: what {weight} adds to {method} with the parts together."
    return (
        f"With the parts together, {weight} changes the test accuracy of {method} by"
        f" {_points(found)} points.".replace("\n", " ")
    )


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    form=FORM,
    run=run,
    table=table,
    sentence=sentence,
    variants=[Variant(name, options) for name, options in VARIANTS.items()],
)
