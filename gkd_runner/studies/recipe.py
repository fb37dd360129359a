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
from gkd_runner.results.verdict_text import interval_text, listed
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
        cells[f"{heading}\n- {PLAIN}"] = [
            _points(gains[str(name)]).replace(" ", "\n", 1) for name in cells.index
        ]
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
    return "" if gain is None else interval_text(gain.difference)


def sentence(measured: pd.DataFrame) -> str:
    """The gains over ``PLAIN`` in each setting, and the gain by each weight."""
    told = [
        f"In {setting} runs: {' '.join(_of_setting(rows))}"
        for setting, rows in measured.groupby("setting", sort=False)
    ]
    return " ".join([*told, *(_added(measured, weight) for weight in WEIGHTS)])


def _of_setting(measured: pd.DataFrame) -> Iterator[str]:
    """The gains of ``OURS``, of the best single part and of the parts together, on test nodes."""
    on_test = _gains(measured, "accuracy")
    best = max(on_test, key=lambda part: on_test[part].difference.mean, default=None)
    single, own = f"{PLAIN} with single parts", f"{PLAIN} with the parts together"
    gains = {OURS: gain(measured, OURS), single: on_test.get(str(best))}
    gains[own] = gain(measured, f"{PLAIN}, together")
    texts = {
        OURS: f"{OURS} gains {{}} points over {PLAIN} on the test nodes.",
        single: f"{best!r}, the best single part, gives {PLAIN} {{}} points.",
        own: f"The parts of {OURS} together give {PLAIN} {{}} points.",
    }
    known = {name: found for name, found in gains.items() if found is not None}
    yield from (texts[name].format(_points(found)) for name, found in known.items())
    if known and all(found.includes_zero for found in known.values()):
        graphs = measured["dataset"].nunique()
        yield f"None of these intervals excludes 0, over {graphs} graphs."
    if len(known) < len(gains):
        yield f"Not measured yet: {listed(name for name in gains if name not in known)}."
    if best is not None:
        yield from _preferred(measured, best)


def _preferred(measured: pd.DataFrame, best: str) -> Iterator[str]:
    """The single part that the validation nodes prefer; ``best`` is that of the test nodes."""
    on_val = _gains(measured, VALIDATION)
    if not on_val:
        return
    chosen = max(on_val, key=lambda part: on_val[part].difference.mean)
    on_test = gain(measured, f"{PLAIN}, {chosen}")
    there = "" if chosen == best else f", {_points(on_test)} on the test nodes"
    part = "it, too" if chosen == best else repr(chosen)
    yield f"The validation nodes prefer {part} ({_points(on_val[chosen])} there{there})."


def _gains(measured: pd.DataFrame, measure: str) -> dict[str, Versus]:
    """The gain of each part over ``PLAIN``, where both were measured."""
    found = {part: gain(measured, f"{PLAIN}, {part}", measure=measure) for part in PARTS}
    return {part: own for part, own in found.items() if own is not None}


def _added(measured: pd.DataFrame, weight: str) -> str:
    """The gain of a method on the test nodes by its weight, where both have all parts."""
    method = WEIGHTS[weight]["method"]
    found = gain(measured, f"{method}, together", base=f"{WITHOUT[weight]}, together")
    if found is None:
        return f"Not measured yet: what {weight} adds to {method} with the parts together."
    return (
        f"With the parts together, {weight} changes the test accuracy of {method} by"
        f" {_points(found)} points."
    )


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    form=FORM,
    run=run,
    table=table,
    sentence=sentence,
    variants=[Variant(name, options) for name, options in VARIANTS.items()],
)
