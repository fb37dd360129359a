"""A made-up output folder: runs, the metrics and failures beside them, and its page."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from gkd_runner.reporting.page.build import page
from gkd_runner.reporting.page.figures import own_figures
from gkd_runner.reporting.page.studies import study_figures
from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.results.compare import compare
from gkd_runner.results.identity import NAMES
from tests.results.runs import Run, run, table

METHODS = ("mlp", "glnn", "hgmd-weight", "hgmd-mixup", "infgrand")
SETTINGS = ("transductive", "inductive")


def grid(
    datasets: Sequence[str] = ("cora", "citeseer"),
    teachers: Sequence[str] = ("gcn", "sage"),
    methods: Sequence[str] = METHODS,
    seeds: int = 3,
) -> pd.DataFrame:
    """Every combination, with and without calibration; accuracies differ by method and seed."""
    draw, runs = random.Random(1), []
    for dataset, setting, teacher, method in product(datasets, SETTINGS, teachers, methods):
        for calibration in ("temperature", "none") if method != "mlp" else ("temperature",):
            level = 0.6 + 0.04 * METHODS.index(method) + draw.uniform(-0.03, 0.03)
            key = f"{dataset}/{setting}/{teacher}/{method}/{calibration}"
            for seed in range(seeds):
                student, taught = (value + draw.gauss(0, 0.01) for value in (level, 0.8))
                hidden = setting == "inductive"
                runs.append(
                    run(
                        method, seed, student,
                        dataset=dataset, setting=setting, teacher=teacher, calibration=calibration,
                        student_test_hidden=student if hidden else None, teacher_test=taught,
                        teacher_test_hidden=taught if hidden else None, key=key, run=f"{key}/1",
                        agreement=draw.uniform(0.8, 0.95), student_seconds=draw.uniform(1, 9),
                        teacher_answer_seconds=0.01,
                        student_answer_seconds=draw.uniform(0.001, 0.005),
                        student_parameters=100_000 + 1000 * METHODS.index(method),
                        changed={"student.hidden_dim": "<b>&"},
                        collapsed_student=draw.random() < 0.1,
                    )
                )  # fmt: skip
    return table(runs)


def write_metrics(folder: Path, runs: pd.DataFrame, epochs: int = 80) -> pd.DataFrame:
    """The runs, with curves that rise to their validation accuracy, ``seed`` epochs shorter."""
    for row in runs.to_dict("records"):
        path = folder / "runs" / row["run"] / "metrics.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as lines:
            for stage in ("teacher", "student"):
                for epoch in range(1, epochs + 1 - row["seed"]):
                    value = row[f"{stage}_val"] * (1 - 0.5 / epoch)
                    entry = {"stage": stage, "seed": row["seed"], "epoch": epoch}
                    lines.write(json.dumps(entry | {"val_accuracy": value}) + "\n")
    return runs.assign(folder=[str(folder / "runs" / name) for name in runs["run"]])


def write_failure(folder: Path, failed: Run, seeds: Sequence[int], number: int) -> None:
    """A cell of a sweep that failed."""
    sweep = folder / "sweeps" / "2026-01-01_00-00-00"
    sweep.mkdir(parents=True, exist_ok=True)
    failure = {
        "number": number,
        "identity": {name: failed[name] for name in NAMES},
        "seeds": list(seeds),
        "cause": "out of <memory>",
        "time": f"2026-01-01T00:0{number}:00+00:00",
        "traceback": ["x"],
    }
    (sweep / f"failed-{number}.json").write_text(json.dumps(failure), encoding="utf-8")


def html_of(runs: pd.DataFrame, folder: Path, metric: str = "accuracy") -> str:
    """The page of ``runs``, with the studies and failures in ``folder``."""
    comparison = compare(runs, metric=metric)
    figures = own_figures(comparison, [folder]), study_figures([folder])
    return page(comparison, *figures, read_all_failures([folder]), folder)
