"""The matrices of the page are the sums over seeds, with the F1 of each class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gkd_runner.reporting.page.classes import class_records
from gkd_runner.reporting.series import series_of
from gkd_runner.results.compare import compare
from tests.results.runs import Run, run, seeds, table


def records(runs: list[Run]) -> list[dict[str, object]]:
    comparison = compare(table(runs))
    return class_records(series_of(comparison), comparison.selected)


def counted(true: np.ndarray, predicted: np.ndarray) -> list[list[int]]:
    return [[int(((true == t) & (predicted == p)).sum()) for p in range(3)] for t in range(3)]


def f1(true: np.ndarray, predicted: np.ndarray, number: int) -> float:
    hits = ((true == number) & (predicted == number)).sum()
    precision, recall = hits / (predicted == number).sum(), hits / (true == number).sum()
    return float(2 * precision * recall / (precision + recall))


def test_a_matrix_is_the_sum_over_seeds_with_the_f1_of_each_class() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 3, (2, 2, 50))
    runs = seeds("glnn", [0.8, 0.7])
    for row, ours, theirs in zip(runs, true, predicted, strict=True):
        row["student_confusion"] = counted(ours, theirs)

    (record,) = records(runs)

    shown = pd.DataFrame({name: record[name] for name in ("row", "true", "predicted", "count")})
    wide = shown.pivot(index="row", columns="predicted", values="count")
    every = true.ravel(), predicted.ravel()
    assert wide.to_numpy().tolist() == counted(*every)
    assert list(shown.drop_duplicates("row").sort_values("row")["true"]) == [
        f"{number}, F1 {100 * f1(*every, number):.1f}" for number in range(3)
    ]
    of_class = pd.Series(record["share"]).groupby(shown["row"]).sum()
    assert of_class.to_numpy() == pytest.approx(100, abs=0.2)


def test_teachers_stand_beside_students_and_the_best_method_comes_first() -> None:
    matrices = {"student_confusion": [[2, 1], [0, 3]], "teacher_confusion": [[3, 0], [2, 1]]}
    both = [run(name, 0, score, **matrices) for name, score in (("glnn", 0.7), ("krd", 0.8))]

    found = records(both)

    assert [record["method"] for record in found] == ["krd", "glnn"]
    shown = pd.DataFrame({name: found[0][name] for name in ("model", "row", "predicted", "count")})
    for model, group in shown.groupby("model"):
        counts = np.zeros((2, 2), int)
        counts[group["row"], group["predicted"]] = group["count"]
        assert counts.tolist() == matrices[f"{model}_confusion"]


def test_runs_without_a_matrix_have_no_record() -> None:
    some = seeds("glnn", [0.8, 0.7])
    some[0]["student_confusion"] = [[1, 0], [0, 1]]
    assert records(some) == []
