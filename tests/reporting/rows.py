"""Made-up rows, as finished runs would give them."""

from __future__ import annotations

from typing import Any

from gkd_runner.reporting.rows import Row


def row(method: str = "glnn", seed: int = 0, student: float = 0.8, **changes: Any) -> Row:
    """One row; runs, keys and teachers follow from what it is unless given."""
    values: dict[str, Any] = {
        "dataset": "cora", "protocol": "infgrand", "setting": "transductive", "teacher": "gcn",
        "method": method, "preset": "common", "calibration": "temperature",
        "preset_source": "common: InfGraND row cora/gcn/transductive; teacher calibrated",
        "seed": seed, "teacher_val": 0.8, "teacher_tran": 0.8, "teacher_ind": None,
        "teacher_prod": 0.8, "student_val": student, "student_tran": student, "student_ind": None,
        "student_prod": student, "teacher_best_epoch": 9, "student_best_epoch": 30,
        "teacher_seconds": 1.5, "student_seconds": 2.5, "teacher_confidence": 0.6,
        "temperature": 0.5, "agreement": 0.9, "kl": 0.1, "teacher_calibration_error": 0.05,
        "student_calibration_error": 0.06, "accuracy_where_teacher_errs": 0.3, "warnings": "",
        "started": "2026-01-01T00:00:00+00:00", "split_hash": f"split{seed}", "graph": "g",
        "commit": "abcdef", "torch": "2", "device": "cpu", "command": "gkd-train",
    }  # fmt: skip
    values |= changes
    place = "/".join(values[name] for name in ("dataset", "protocol", "setting", "teacher"))
    values.setdefault("key", f"{place}/{method}")
    values.setdefault("run", f"{values['key']}/1")
    values.setdefault("teacher_key", f"{place}/{seed}")
    return Row(**values)


def rows(method: str, students: list[float], **changes: Any) -> list[Row]:
    """One row per seed, from 0."""
    return [row(method, seed, value, **changes) for seed, value in enumerate(students)]
