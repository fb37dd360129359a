"""Made-up runs, as finished ones would give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from gkd_runner.results.frame import COLUMNS, typed

Run = dict[str, Any]
"""A row of the table of runs."""


def run(method: str = "glnn", seed: int = 0, student: float = 0.8, **changes: Any) -> Run:
    """One seed of a run; its key, folder and teacher follow from its names unless given."""
    values: Run = {
        "dataset": "cora", "protocol": "infgrand", "setting": "transductive", "teacher": "gcn",
        "method": method, "preset": "common", "calibration": "temperature", "seed": seed,
        "split": 0,
        "hyperparameters": "common", "preset_rows": ["InfGraND row cora/gcn/transductive"],
        "changed": {}, "teacher_val": 0.8, "teacher_test_observed": 0.8,
        "teacher_test_hidden": None, "teacher_test": 0.8, "student_val": student,
        "student_test_observed": student, "student_test_hidden": None, "student_test": student,
        "teacher_best_epoch": 9, "student_best_epoch": 30, "teacher_seconds": 1.5,
        "student_seconds": 2.5, "teacher_confidence": 0.6, "temperature": 0.5, "agreement": 0.9,
        "kl": 0.1, "teacher_calibration_error": 0.05, "student_calibration_error": 0.06,
        "accuracy_where_teacher_errs": 0.3, "flat_teacher": False, "unfinished_teacher": False,
        "collapsed_student": False, "unfinished_student": False, "test_nodes": 1000,
        "hidden_nodes": 0 if changes.get("setting") != "inductive" else 200,
        "teacher_answer_seconds": None, "student_answer_seconds": None, "student_parameters": None,
        "started": "2026-01-01T00:00:00+00:00", "split_hash": f"split{seed}", "graph": "g",
        "commit": "abcdef", "torch": "2", "device": "cpu", "command": "gkd-train", "folder": "",
    }  # fmt: skip
    values |= changes
    place = "/".join(values[name] for name in ("dataset", "protocol", "setting", "teacher"))
    values.setdefault("key", f"{place}/{method}")
    values.setdefault("run", f"{values['key']}/1")
    values.setdefault("teacher_key", f"{place}/{seed}")
    return values


def seeds(method: str, students: Iterable[float], **changes: Any) -> list[Run]:
    """One run of several seeds, from 0."""
    return [run(method, seed, value, **changes) for seed, value in enumerate(students)]


def table(runs: Iterable[Run]) -> pd.DataFrame:
    """The runs as ``load_runs`` gives them."""
    return typed(pd.DataFrame(list(runs), columns=[*COLUMNS, "folder"], dtype=object))
