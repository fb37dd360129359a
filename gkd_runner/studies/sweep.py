"""Studies that are sweeps: their cases run like any other, and each seed leaves measurements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import Cell
from gkd_runner.results.frame import load_runs
from gkd_runner.results.selection import PLACE, in_rank
from gkd_runner.studies.measurements import Form, Measurements
from gkd_runner.studies.study import Case
from gkd_runner.sweeps.run import run_all

TEACHER = "teacher"
"""The GNN's own name in the column ``method``."""

ORDER = ["setting", "teacher", "dataset"]
"""Places are sorted by these."""

FORM = Form(
    "dataset,protocol,setting,teacher,preset,calibration,layers,hidden_dim,method,variant,seed,"
    "measure,part,value,run,threads,device,commit,configuration",
    scope=("dataset", "protocol", "setting", "teacher", "method", "variant"),
    index=("seed", "measure", "part"),
)
"""One measurement of one seed per row.

``layers`` and ``hidden_dim`` are the teacher's. ``method`` is the student's, or ``teacher``;
``variant`` is the study's name for the options that it changed. ``part`` says which nodes
``measure`` is about; it is empty for all test nodes. ``run`` is the folder of the finished run
within the output folder, and ``configuration`` the run's key. ``device`` and ``commit`` are those
of the run, except for times: these have their own, and ``threads``.
"""


def run_cases(cases: Sequence[Case]) -> pd.DataFrame:
    """Run as one sweep what is not finished yet; a row per case and seed.

    The columns are those of ``load_runs``, and ``case`` (its number), ``variant``, ``layers`` and
    ``hidden_dim``. Ends the process with exit code 1 where a case fails; finished runs are kept.
    """
    check_shared_teachers(cases)
    plan = run_all([Cell(_label(case), case.config) for case in cases])
    asked = [
        {
            "case": number,
            "variant": case.variant,
            "layers": case.config.gnn.num_layers,
            "hidden_dim": case.config.gnn.hidden_dim,
            "key": planned.key,
            "seed": seed,
        }
        for number, (case, planned) in enumerate(zip(cases, plan.cells, strict=True))
        for seed in case.config.seeds
    ]
    runs = load_runs([Path(cases[0].config.output_dir).expanduser()])
    if runs.duplicated(["key", "seed"]).any():
        raise ConfigError(["a study compares seeds on one split of a graph: give splits=[0]"])
    return pd.DataFrame(asked).merge(runs, on=["key", "seed"])


def _label(case: Case) -> str:
    config = case.config
    parts = (config.dataset.name, config.teacher.name, config.method.name, case.variant)
    return " ".join(dict.fromkeys(part for part in parts if part))


def check_shared_teachers(cases: Sequence[Case]) -> None:
    """Refuse cases that would compare methods on different teachers."""
    methods: dict[tuple[str, ...], dict[str, str]] = {}
    for case in cases:
        config = case.config
        place = (config.dataset.name, config.protocol.name, config.teacher.name)
        teacher = str((asdict(config.teacher), asdict(config.training)))
        methods.setdefault(place, {})[teacher] = config.method.name
    mistakes = [
        f"preset={cases[0].config.preset.name}: on {dataset} the methods"
        f" {' and '.join(by_teacher.values())} have {teacher} teachers of their own; this study"
        " compares methods on one: use preset=common or preset=none"
        for (dataset, _, teacher), by_teacher in methods.items()
        if len(by_teacher) > 1
    ]
    if mistakes:
        raise ConfigError(mistakes)


def record(runs: pd.DataFrame, measure: str, value: Any, **columns: Any) -> pd.DataFrame:
    """A measurement of each row of ``run_cases``; ``columns`` replace those of the runs."""
    own = {
        "measure": measure,
        "value": value,
        "part": "",
        "threads": None,
        "run": "runs/" + runs["run"],
        "configuration": runs["key"],
    }
    return FORM.table(runs.assign(**own | columns))


def accuracies(runs: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy ([0, 1]) of every student, and whether it collapsed (0 or 1).

    With glnn also the accuracy of the teacher, which all methods share.
    """
    glnn = runs[runs["method"] == "glnn"]
    parts = [
        record(runs, "accuracy", runs["student_test"]),
        record(runs, "collapsed", runs["collapsed_student"].astype(float)),
        record(glnn, "accuracy", glnn["teacher_test"], method=TEACHER),
    ]
    return pd.concat(parts).sort_index(kind="stable")


def run_accuracies(cases: Sequence[Case], _: Measurements) -> Iterator[pd.DataFrame]:
    """Run what is missing; the accuracies of all cases."""
    yield accuracies(run_cases(cases))


def wide(
    table: pd.DataFrame,
    column: str,
    names: Sequence[str],
    index: Sequence[str] = PLACE,
    measure: str = "accuracy",
) -> pd.DataFrame:
    """Values of ``measure``, a row per ``index`` and seed, a column for each of the names.

    The names are values of ``column``. Rows are in the order of tables; values that were not
    measured are missing.
    """
    keys = [*index, "seed"]
    rows = table[table["measure"] == measure].drop_duplicates([*keys, column], keep="last")
    pivoted = rows.pivot(index=keys, columns=column, values="value").reindex(columns=list(names))
    order = in_rank(pivoted.index.to_frame(index=False), [*ORDER, "seed"]).index
    return pivoted.iloc[order]


def places(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """The datasets, settings and teachers that were measured, in the order of tables."""
    distinct = table[PLACE].drop_duplicates()
    return list(in_rank(distinct, ORDER).itertuples(index=False, name=None))


def collapses(table: pd.DataFrame) -> str:
    """A sentence on students far below their teachers, where there are such."""
    students = table.loc[table["measure"] == "collapsed", "value"]
    count = int(students.sum())
    return f" {count} of the {len(students)} students collapsed." if count else ""
