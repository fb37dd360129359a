"""All finished runs as one tidy table: a row per run and replica, facts in columns."""

from __future__ import annotations

import json
import shlex
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gkd_runner.common.errors import GkdError
from gkd_runner.common.lazy import pd
from gkd_runner.common.reading import csv_rows, reading, skipping
from gkd_runner.data.task import Replica
from gkd_runner.options.metrics import BESIDE_ACCURACY, METRICS
from gkd_runner.results.identity import NAMES
from gkd_runner.results.scores import STAGES, RunResult, SeedResult, column
from gkd_runner.results.stored import DEPTH, StoredRun, provenance, read_run, read_runs

METRIC_COLUMNS = {
    **{
        column(stage, part, metric): "float64"
        for metric in BESIDE_ACCURACY
        for stage in STAGES
        for part in ("val", "test_observed", "test_hidden", "test")
    },
    **{f"{stage}_confusion": "json" for stage in STAGES},
}
"""The columns of the metrics beside accuracy."""

LATER_COLUMNS = {**METRIC_COLUMNS, "student_parameters": "float64"}
"""The columns that tables of earlier versions lack; they are missing in their rows."""

COLUMNS: dict[str, str] = {
    **dict.fromkeys(NAMES, "string"),
    "seed": "int64",
    "split": "int64",
    "hyperparameters": "string",
    "preset_rows": "json",
    "changed": "json",
    **{
        column(stage, part): "float64"
        for stage in STAGES
        for part in ("val", "test_observed", "test_hidden", "test")
    },
    **LATER_COLUMNS,
    "test_nodes": "int64",
    "hidden_nodes": "int64",
    "teacher_best_epoch": "int64",
    "student_best_epoch": "int64",
    "teacher_seconds": "float64",
    "student_seconds": "float64",
    "teacher_answer_seconds": "float64",
    "student_answer_seconds": "float64",
    "teacher_confidence": "float64",
    "temperature": "float64",
    "agreement": "float64",
    "kl": "float64",
    "teacher_calibration_error": "float64",
    "student_calibration_error": "float64",
    "accuracy_where_teacher_errs": "float64",
    "flat_teacher": "bool",
    "unfinished_teacher": "bool",
    "collapsed_student": "bool",
    "unfinished_student": "bool",
    "run": "string",
    "started": "string",
    "key": "string",
    "teacher_key": "string",
    "split_hash": "string",
    "graph": "string",
    "commit": "string",
    "torch": "string",
    "device": "string",
    "command": "string",
}
"""The columns of the table and of ``runs.csv``, with their types.

The first seven name a configuration, ``seed`` and ``split`` (the number of the split) a replica of
it. ``hyperparameters``, ``preset_rows`` and ``changed`` tell
where its hyperparameters come from (``gkd_runner.config.presets.Hyperparameters``). Accuracies
(``<stage>_<part>``) are in [0, 1] over validation nodes, observed test nodes, hidden test nodes
and all test nodes; one over no nodes is missing. So are macro F1 (``<stage>_<part>_macro_f1``)
and, for two classes, ROC AUC (``<stage>_<part>_roc_auc``). ``<stage>_confusion`` counts all test
nodes, in a list per true class with a number per predicted one. ``test_nodes`` and
``hidden_nodes`` count all and
the hidden test nodes. A precomputed teacher has 0 as best epoch and no seconds.
``<stage>_seconds`` is of training, ``<stage>_answer_seconds`` of one request
for a single node on the CPU, if it was measured. ``student_parameters`` counts the student's
trained numbers. ``teacher_confidence`` is the mean top probability
before calibration, ``temperature`` the calibration's; the diagnostics after them are
those of ``gkd_runner.results.diagnostics``. ``run`` is the run's folder under ``runs/``, ``key``
its configuration's key, ``teacher_key`` the cached teacher's, ``graph`` the graph's fingerprint,
``commit`` the code's, with ``+`` where files were changed. Types are pandas' own; ``json`` holds
lists and objects, written to CSV as JSON.

In memory there is one column more: ``folder``, the run's folder, empty for rows of a CSV file.
"""


JSON_TYPES = {"preset_rows": list, "changed": dict}
"""The columns of JSON that are missing nowhere, with the type of their values."""


class ReportError(GkdError):
    """Results that cannot be read or compared."""


def load_runs(sources: Iterable[str | Path]) -> pd.DataFrame:
    """The finished runs in output folders, or in CSV files that ``to_csv`` wrote.

    A replica that several runs of one key and name have finished counts once, in the newest. Raises
    ``ReportError`` for a source that is neither.
    """
    return newest(pd.concat([table_of(()), *(_read(Path(source)) for source in sources)]))


def newest(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs in the order of tables, each replica of a key once, from its newest run.

    One graph under two names has the runs of each name, though their keys are the same.
    """
    by_age = runs.sort_values(["started", "folder"], kind="stable")  # a CSV's have no folder
    once = by_age.drop_duplicates(["dataset", "key", "seed", "split"], keep="last")
    order = ["dataset", "protocol", "setting", "teacher", "method", "key", "split", "seed"]
    return once.sort_values(order, kind="stable", ignore_index=True)


def to_csv(runs: pd.DataFrame) -> str:
    """The runs as CSV text, each number as it was recorded."""
    told = {name: runs[name].map(json.dumps) for name, kind in COLUMNS.items() if kind == "json"}
    text: str = runs.assign(**told)[list(COLUMNS)].to_csv(index=False, lineterminator="\n")
    return text


def _read(source: Path) -> pd.DataFrame:
    if source.is_file():
        return read_csv(source)
    if (source / "runs").is_dir():
        return table_of(_rows_in(source / "runs"))
    if (source / "runs.csv").is_file():
        return read_csv(source / "runs.csv")
    if (source / "studies").is_dir():
        raise ReportError(f"{source} has studies but no finished run yet; run gkd-train first")
    raise ReportError(
        f"{source} is neither an output folder (with runs/ or runs.csv in it) nor a CSV file of"
        " runs; give gkd-train's output_dir"
    )


def _rows_in(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for run in read_runs(folder, "/".join("*" * DEPTH)):
        with skipping(run.path / "result.json", "the run is left out; run it again"):
            rows += list(rows_of(run))
    return rows


def read_csv(path: Path) -> pd.DataFrame:
    """The runs in a CSV file that ``to_csv`` wrote, of this version or an earlier one.

    Raises ``ReportError`` for any other file.
    """
    with reading(path, "write it again with gkd-tables --out", ReportError):
        header, rows = csv_rows(path)
        text = pd.DataFrame(rows, columns=header, dtype=str)
        lacking = [name for name in LATER_COLUMNS if name not in text]
        text = text.assign(**{n: "null" if LATER_COLUMNS[n] == "json" else "" for n in lacking})
        odd = set(COLUMNS).symmetric_difference(text.columns)
        if odd:
            raise ReportError(
                f"{path} is not a CSV of runs as gkd-tables writes it; {len(odd)} columns differ:"
                f" {', '.join(sorted(odd)[:5])}, ..."
            )
        runs = typed(text.assign(folder=""))
        for name, kind in JSON_TYPES.items():
            if not all(isinstance(value, kind) for value in runs[name]):
                raise ValueError(f"{name} holds values that are no {kind.__name__}")
        return runs


def typed(text: pd.DataFrame) -> pd.DataFrame:
    """The columns with their types, from text or from Python's own values."""
    columns: dict[str, Any] = {"folder": text["folder"].astype("string")}
    for name, kind in COLUMNS.items():
        values = text[name]
        if kind == "json":
            columns[name] = pd.Series([_parsed(v) for v in text[name]], text.index, "object")
        elif kind == "bool":
            columns[name] = values.map({"True": True, "False": False, True: True, False: False})
            if columns[name].isna().any():
                raise ValueError(f"{name} holds values that are neither True nor False")
        elif kind == "string":
            columns[name] = values.astype("string")
        else:
            parse = int if kind == "int64" else _number  # pd.to_numeric may err in the last digit
            columns[name] = values.map(parse).astype(kind)
    return pd.DataFrame(columns)[[*COLUMNS, "folder"]]


def _parsed(value: Any) -> Any:
    """The value in JSON text; lists and objects stay as they are, and a missing value is None."""
    if isinstance(value, str):
        return json.loads(value)
    return value if isinstance(value, list | dict) else None


def _number(value: Any) -> float:
    return float("nan") if value in ("", None) else float(value)


def table_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The table of ``rows_of`` runs."""
    return typed(pd.DataFrame(list(rows), columns=[*COLUMNS, "folder"]))


def table_of_job(result: RunResult) -> pd.DataFrame:
    """The table of a job's replicas, as its folders have them."""
    replicas = {seed.replica for seed in result.seeds}
    runs = [run for path in result.paths if (run := read_run(path))]
    return newest(table_of(row for run in runs for row in rows_of(run, replicas)))


def rows_of(run: StoredRun, wanted: Container[Replica] | None = None) -> Iterator[dict[str, Any]]:
    """A row per replica of the run, or per one that is ``wanted``."""
    folder = {"run": "/".join(run.path.parts[-DEPTH:]), "folder": str(run.path)}
    of_run = _of_run(run) | folder
    for seed, teacher_key in zip(run.seeds, run.teacher_keys, strict=True):
        if wanted is None or seed.replica in wanted:
            yield of_run | {"teacher_key": teacher_key, **_of_seed(seed)}


def _of_run(run: StoredRun) -> dict[str, Any]:
    raw, origin = run.raw, run.raw["hyperparameters"]
    return {
        **run.identity,
        "hyperparameters": origin["kind"],
        "preset_rows": origin["rows"],
        "changed": origin["changed"],
        "started": run.started,
        "key": run.key,
        "graph": raw["graph"]["fingerprint"],
        "torch": raw["versions"]["torch"],
        **provenance(raw),
        "command": shlex.join(raw["command"]),
    }


def _of_seed(seed: SeedResult) -> dict[str, Any]:
    fields = asdict(seed).items()
    row = {name: value for name, value in fields if name in COLUMNS and name not in STAGES}
    for stage in STAGES:
        result = getattr(seed, stage)
        for metric in METRICS:
            scores = result.of(metric)
            values = asdict(scores) if scores else {}
            row |= {column(stage, part, metric): value for part, value in values.items()}
        row[f"{stage}_confusion"] = result.confusion
        row |= {f"{stage}_best_epoch": result.best_epoch, f"{stage}_seconds": result.seconds}
    return row | asdict(seed.diagnostics)
