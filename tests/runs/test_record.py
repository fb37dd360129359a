"""A configuration's key follows what shapes a seed's result, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import config, small_graph

from gkd_runner.common.checksums import check_seal
from gkd_runner.results.key import config_key
from gkd_runner.runs.record import Record
from gkd_runner.training.fit import Epoch

CPU = torch.device("cpu")


def key(*overrides: str) -> str:
    return config_key(config(*overrides), small_graph(), CPU)


@pytest.mark.parametrize(
    "override",
    [
        "protocol.train_per_class=9",
        "setting=inductive",
        "teacher.dropout=0.1",
        "student.dropout=0.1",
        "method=glnn",
        "method.tau=7",
        "training.patience=9",
        "calibration=none",
        "preset=common",
    ],
)
def test_what_shapes_a_result_changes_the_key(override: str) -> None:
    assert key(override) != key()


@pytest.mark.parametrize(
    "override",
    ["seeds=[5]", "replicas=2", "cache=off", "cache_dir=c", "output_dir=o", "data_dir=d",
     "tracker.project=p", "device=cpu"],
)  # fmt: skip
def test_where_a_run_goes_does_not(override: str) -> None:
    assert key(override) == key()


def test_a_baseline_has_nothing_to_calibrate() -> None:
    assert key("method=mlp", "calibration=none") == key("method=mlp")


def test_graph_and_device_count_but_the_path_to_the_graph_does_not() -> None:
    other = replace(small_graph(), labels=small_graph().labels[::-1].copy())

    assert config_key(config(), other, CPU) != key()
    assert config_key(config(), small_graph(), torch.device("cuda")) != key()
    assert key("dataset.path=a.npz") == key("dataset.path=./a.npz")


def test_metrics_are_on_disk_epoch_by_epoch(tmp_path: Path) -> None:
    record = Record(config(f"output_dir={tmp_path}"), key())
    record.epoch("student", 3, Epoch(1, 0.5, 0.25, 0.75, (("power", 2.0),)))

    lines = (record.path / "metrics.jsonl").read_text().splitlines()
    record.close()

    assert [json.loads(line) for line in lines] == [
        {"stage": "student", "seed": 3, "power": 2.0, "epoch": 1, "loss": 0.5, "val_loss": 0.25,
         "val_accuracy": 0.75}
    ]  # fmt: skip


def test_each_class_of_a_confusion_matrix_has_a_line_of_result_json(tmp_path: Path) -> None:
    record = Record(config(f"output_dir={tmp_path}"), key())
    result = {"confusion": [[12, 3], [0, 40]], "text": "[\n1, 2 ]", "none": [], "shares": [0.5, 1]}
    record.result(result)
    record.close()

    text = (record.path / "result.json").read_text()
    read = json.loads(text)
    assert {name: read[name] for name in result} == result
    check_seal(read)
    assert set(read["files"]) == {"config.yaml", "metrics.jsonl"}
    assert "    [ 12, 3 ],\n    [ 0, 40 ]\n" in text


def test_two_runs_in_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    settings = config(f"output_dir={tmp_path}")
    records = [Record(settings, key()) for _ in range(3)]
    for record in records:
        record.close()

    assert len({record.path for record in records}) == 3


def test_half_a_file_of_a_killed_run_is_removed_by_the_next_of_its_key(tmp_path: Path) -> None:
    settings = config("method=mlp", f"output_dir={tmp_path}")
    killed, other = Record(settings, "a" * 64), Record(settings, "b" * 64)
    for record in (killed, other):
        record.close()
        (record.path / "result.json.1.part").write_text("{")

    Record(settings, "a" * 64).close()

    assert not list(killed.path.glob("*.part"))
    assert list(other.path.glob("*.part"))
