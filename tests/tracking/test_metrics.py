"""What a real job tells W&B, read back: names, values, configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gkd_runner.config.build import compose
from gkd_runner.results.identity import identity
from gkd_runner.results.scores import PARTS
from gkd_runner.runs.job import tracked_identity
from gkd_runner.tracking.metrics import IDENTITY, STAGES, STUDENT, TEACHER, epoch_metrics
from gkd_runner.training.fit import Epoch
from tests.tracked import TrackedRun

# In full: saved dashboards and older runs know these names too.
EACH_EPOCH = {
    "teacher/epoch", "teacher/loss", "teacher/val_loss", "teacher/val_accuracy",
    "student/epoch", "student/loss", "student/val_loss", "student/val_accuracy",
}  # fmt: skip
AT_THE_END = {
    "teacher/test_macro_f1", "teacher/test_observed_macro_f1", "teacher/test_hidden_macro_f1",
    "student/test_macro_f1", "student/test_observed_macro_f1", "student/test_hidden_macro_f1",
    "teacher/test_accuracy", "teacher/test_observed_accuracy", "teacher/test_hidden_accuracy",
    "teacher/best_epoch", "teacher/epochs", "teacher/seconds",
    "student/test_accuracy", "student/test_observed_accuracy", "student/test_hidden_accuracy",
    "student/best_epoch", "student/epochs", "student/seconds",
    "teacher_confidence", "temperature", "agreement", "kl", "teacher_calibration_error",
    "student_calibration_error", "accuracy_where_teacher_errs",
}  # fmt: skip
UNDRAWN = {"teacher/val_macro_f1", "student/val_macro_f1"}
"""In the summary alone: a curve of each epoch only where the metric selects."""
Job = tuple[Path, TrackedRun]


def result_of(job: Job) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((job[0] / "result.json").read_text())
    [seed] = result["seeds"]
    return {**result, **seed}


def test_a_run_logs_these_metrics_and_no_others(tracked_job: Job) -> None:
    run = tracked_job[1]
    assert {name for row in run.rows for name in row} == EACH_EPOCH | AT_THE_END
    curves = {name for name in EACH_EPOCH if not name.endswith("/epoch")}
    assert set(run.summary) == curves | AT_THE_END | UNDRAWN | {"warnings"}


def test_every_epoch_has_all_its_fields_and_nothing_of_the_test_nodes(tracked_job: Job) -> None:
    run = tracked_job[1]
    result = result_of(tracked_job)
    for stage in STAGES:
        rows = [row for row in run.rows if f"{stage}/epoch" in row]
        assert len(rows) == result[stage]["epochs"]
        assert {frozenset(row) for row in rows} == {
            frozenset(f"{stage}/{field}" for field in Epoch._fields[:4])
        }


def test_what_a_method_logs_is_told_beside_the_rest() -> None:
    told = epoch_metrics("student", Epoch(1, 0.5, 0.25, 0.75, (("power", 2.0), ("loss", 9.0))))

    assert told["student/power"] == 2.0
    assert told["student/loss"] == 0.5  # a method cannot take its place


def test_the_summary_of_a_curve_is_its_value_at_the_best_validation_accuracy(
    tracked_job: Job,
) -> None:
    run = tracked_job[1]
    for stage in (TEACHER, STUDENT):
        curve = run.curve(stage.epoch, stage.score("val"))
        best = max(value for _, value in curve)
        last = max(epoch for epoch, value in curve if value == best)
        assert run.summary[stage.best_epoch] == last
        [row] = [row for row in run.rows if row.get(stage.epoch) == last]
        for name in EACH_EPOCH & set(stage.curves):
            assert run.summary[name] == pytest.approx(row[name])


def test_the_summary_is_what_result_json_has(tracked_job: Job) -> None:
    summary, result = tracked_job[1].summary, result_of(tracked_job)
    for stage in STAGES:
        for part in PARTS:
            assert summary[f"{stage}/{part}_accuracy"] == result[stage]["scores"][part]
            assert summary[f"{stage}/{part}_macro_f1"] == result[stage]["macro_f1"][part]
        for name in ("best_epoch", "epochs", "seconds"):
            assert summary[f"{stage}/{name}"] == result[stage][name]
    for name, value in result["diagnostics"].items():
        assert summary[name] == value
    for name in ("teacher_confidence", "temperature"):
        assert summary[name] == result[name]
    assert bool(summary["warnings"]) == (result["flat_teacher"] or result["collapsed_student"])


def test_the_config_names_the_configuration_and_no_folder_tracker_or_sweep(
    tracked_job: Job,
) -> None:
    run = tracked_job[1]
    config, result = run.shown["config"], result_of(tracked_job)
    assert set(config) == {
        "dataset", "protocol", "setting", "teacher", "student", "method", "preset", "training",
        "calibration", "hyperparameters", "device", "key", "seed", "split",
    }  # fmt: skip
    assert "path" not in config["dataset"]
    assert (config["seed"], config["key"]) == (3, result["key"])
    for name, path in IDENTITY.items():
        group, _, option = path.partition(".")
        value = config[group][option] if option else config[group]
        assert value == result["identity"][name]
    assert config["hyperparameters"] == result["hyperparameters"]


def test_the_seeds_of_a_configuration_are_one_group(tracked_job: Job) -> None:
    run, key = tracked_job[1], result_of(tracked_job)["key"]
    protocol = result_of(tracked_job)["identity"]["protocol"]
    assert run.opened["run_group"] == f"glnn/gcn/synthetic/{protocol}-inductive/{key[:8]}"
    assert run.opened["job_type"] == "distil"
    assert run.shown["tags"] == [
        "synthetic", "glnn", "gcn", "inductive", f"{protocol} protocol", "none preset",
        "mine",
    ]  # fmt: skip


def described(*options: str) -> Any:
    return tracked_identity(compose(list(options)), "0123456789", torch.device("cpu"), 0)


def test_all_that_names_a_configuration_can_be_grouped_by() -> None:
    assert set(IDENTITY) == set(identity(compose([])))


def test_the_job_type_says_whether_the_student_hears_a_teacher() -> None:
    assert described("method=mlp").job_type == "baseline"
    assert described("method=glnn").job_type == "distil"


def test_a_tag_is_a_method_or_a_protocol_and_never_either_and_comes_once() -> None:
    tags = described("method=mlp", "protocol=glnn", "tracker.tags=[mine,cora]").tags
    assert "glnn" not in tags
    assert "glnn protocol" in tags
    assert sorted(tags) == sorted({*tags, "mine"})
