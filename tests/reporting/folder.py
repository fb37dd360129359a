"""A made-up output folder: rows, and the metrics and failures beside them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from gkd_runner.reporting.rows import Row
from tests.reporting.rows import row

METHODS = ("mlp", "glnn", "hgmd-weight", "hgmd-mixup", "infgrand")
SETTINGS = ("transductive", "inductive")


def grid(
    datasets: Sequence[str] = ("cora", "citeseer"),
    teachers: Sequence[str] = ("gcn", "sage"),
    methods: Sequence[str] = METHODS,
    seeds: int = 3,
) -> list[Row]:
    """Every combination, with and without calibration; accuracies differ by method and seed."""
    draw, found = random.Random(1), []
    for dataset, setting, teacher, method in product(datasets, SETTINGS, teachers, methods):
        for calibration in ("temperature", "none") if method != "mlp" else ("temperature",):
            level = 0.6 + 0.04 * METHODS.index(method) + draw.uniform(-0.03, 0.03)
            key = f"{dataset}/{setting}/{teacher}/{method}/{calibration}"
            for seed in range(seeds):
                student, taught = (value + draw.gauss(0, 0.01) for value in (level, 0.8))
                hidden = setting == "inductive"
                found.append(
                    row(
                        method, seed, student,
                        dataset=dataset, setting=setting, teacher=teacher, calibration=calibration,
                        student_ind=student if hidden else None, teacher_prod=taught,
                        teacher_ind=taught if hidden else None, key=key, run=f"{key}/1",
                        agreement=draw.uniform(0.8, 0.95), student_seconds=draw.uniform(1, 9),
                        preset_source="common: x; changed: student.hidden_dim=<b>&",
                        warnings="collapsed student: 30%" if draw.random() < 0.1 else "",
                    )
                )  # fmt: skip
    return found


def write_metrics(folder: Path, rows: Sequence[Row], epochs: int = 80) -> None:
    """Curves that rise to the validation accuracy of ``rows`` and stop ``seed`` epochs earlier."""
    for each in rows:
        path = folder / "runs" / each.run / "metrics.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as lines:
            for stage, best in (("teacher", each.teacher_val), ("student", each.student_val)):
                for epoch in range(1, epochs + 1 - each.seed):
                    value = best * (1 - 0.5 / epoch)
                    entry = {"stage": stage, "seed": each.seed, "epoch": epoch}
                    lines.write(json.dumps(entry | {"val_accuracy": value}) + "\n")


def write_failure(folder: Path, failed: Row, seeds: Sequence[int], number: int) -> None:
    """A cell of a sweep that failed."""
    names = ("dataset", "protocol", "setting", "teacher", "method", "preset", "calibration")
    sweep = folder / "sweeps" / "2026-01-01_00-00-00"
    sweep.mkdir(parents=True, exist_ok=True)
    found = {
        "number": number,
        "identity": {name: getattr(failed, name) for name in names},
        "seeds": list(seeds),
        "cause": "out of <memory>",
        "time": f"2026-01-01T00:0{number}:00+00:00",
        "traceback": ["x"],
    }
    (sweep / f"failed-{number}.json").write_text(json.dumps(found), encoding="utf-8")
