"""Which part of a student carries its accuracy: hops, dropout on features, depth, labels, ...?

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
"""The parts of ``OURS``, which every method also gets together."""

RECEIVERS = ("glnn", "krd", "hgmd-weight", "infgrand")
"""Published methods that get the parts together; ``PLAIN`` gets them one by one, too."""

WITHOUT = {
    "infgrand without influence": {
        "method": "infgrand",
        "method.delta_2": "0",
        "method.gamma_2": "0",
    },
    "hgmd-weight without hardness": {"method": "hgmd-weight", "method.hardness": "none"},
}
"""Methods without what they choose nodes or edges by; they get the parts together, too."""

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
    for name, options in WITHOUT.items():
        found[f"{name}, together"] = options | together
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
        ends=[f"{method}, together" for method in (*RECEIVERS, *WITHOUT)],
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
    """The part that gains most on the validation nodes, with its gain on the test nodes."""
    alone = [f"{PLAIN}, {part}" for part in PARTS]
    found = {name: gain(measured, name, measure=VALIDATION) for name in alone}
    gains = {name: own for name, own in found.items() if own is not None}
    if not gains:
        return f"Not measured yet: {PLAIN} with each of the parts."
    best = max(gains, key=lambda name: gains[name].difference.mean)
    tested = gain(measured, best)
    part = best.removeprefix(f"{PLAIN}, ")
    return (
        f"Of the parts alone, {part!r} gains most on the validation nodes ({_line(gains[best])}"
        f" points over {PLAIN}); on the test nodes it gains"
        f" {_line(tested) if tested else 'an unknown number: they were not measured'}."
    )


def _line(gain: Versus) -> str:
    return _points(gain).replace("\n", " ")


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    form=FORM,
    run=run,
    table=table,
    sentence=sentence,
    variants=[Variant(name, options) for name, options in VARIANTS.items()],
)
