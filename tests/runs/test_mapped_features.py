"""Training on mapped features gives what features in memory give, in less memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gkd_runner.data import npz
from gkd_runner.data.graph import is_mapped
from gkd_runner.data.importing import archive
from gkd_runner.data.npz import load_npz, save_npz
from gkd_runner.data.synthetic import synthetic
from gkd_runner.runs.reload import reload_student
from gkd_runner.runs.train import train
from tests.support import as_dense_features, config, small_graph

MINI_BATCHES = "training.batch_size=20"


def numbers(run: Path) -> dict[str, Any]:
    """All losses and accuracies of a run, and the facts of its graph."""
    result = json.loads((run / "result.json").read_text())
    stages = [
        {stage: seed[stage]["scores"] for stage in ("teacher", "student")}
        | {name: seed[name] for name in ("temperature", "teacher_confidence", "diagnostics")}
        for seed in result["seeds"]
    ]
    return {
        "epochs": (run / "metrics.jsonl").read_text().splitlines(),
        "seeds": stages,
        "graph": result["graph"],
        "facts": result["method_facts"],
    }


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A graph whose features are mapped, and the same in a compressed file."""
    graph = as_dense_features(small_graph())
    paths = {name: tmp_path / f"{name}.npz" for name in ("read", "mapped")}
    save_npz(graph, paths["read"])
    for module in (archive, npz):
        monkeypatch.setattr(module, "MAPPED_FROM", 2**14)
    save_npz(graph, paths["mapped"])
    features = load_npz(paths["mapped"], "mine").features
    assert is_mapped(features)
    assert not features.flags.aligned
    return paths


@pytest.mark.parametrize("batches", ["training.batch_size=null", MINI_BATCHES])
@pytest.mark.parametrize(
    ("teacher", "method"),
    [("gcn", "glnn"), ("gat", "glnn"), ("sage", "glnn"), ("sage", "infgrand"), ("sage", "krd")],
)
def test_mapped_features_train_as_those_in_memory(
    teacher: str, method: str, batches: str, files: dict[str, Path], tmp_path: Path
) -> None:
    small = ("dataset=custom", "training.max_epochs=3", "student.hidden_dim=16", "seeds=[0]")
    jobs = {
        name: config(
            *(*small, f"teacher={teacher}", f"method={method}", batches),
            *(f"dataset.path={path}", f"output_dir={tmp_path / name}"),
        )
        for name, path in files.items()
    }
    runs = {name: train(job).path for name, job in jobs.items()}
    assert numbers(runs["mapped"]) == numbers(runs["read"])
    answers = [reload_student(run).student.observed for run in runs.values()]
    np.testing.assert_array_equal(*answers)


LIMITED = """
import resource, sys
from gkd_runner.config.build import compose
from gkd_runner.runs.train import train

allowed, path, *overrides = sys.argv[1:]
train(compose(["dataset=synthetic", "dataset.nodes=3000", *overrides, "output_dir=first"]))
job = compose([f"dataset={path}", *overrides, "output_dir=second"])
status = open("/proc/self/status").read()
limit = int(status.split("VmData:")[1].split()[0]) * 2**10 + int(allowed)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
print(train(job).path)
"""
"""Trains with so many bytes beyond those that a small job has taken."""


def trained(folder: Path, file: Path, allowed: int) -> subprocess.CompletedProcess[str]:
    """One epoch of each stage on ``file``, in a process of its own that may take few bytes."""
    folder.mkdir()
    options = [
        *("protocol=infgrand", "preset=none", "tracker=none", "seeds=[0]", "teacher=sage"),
        *("teacher.hidden_dim=16", "student.hidden_dim=16", "method=glnn", "training.max_epochs=1"),
        "training.batch_size=128",
    ]
    command = [sys.executable, "-c", LIMITED, str(allowed), str(file), *options]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory for data")
def test_a_job_needs_half_the_memory_of_its_mapped_features_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = synthetic(75_000, features=1_000, classes=4, mean_degree=4)
    graph = replace(graph, features=graph.features.toarray())
    size = graph.features.nbytes
    save_npz(graph, tmp_path / "mapped.npz")
    monkeypatch.setattr(npz, "MAPPED_FROM", 2 * size)
    save_npz(graph, tmp_path / "read.npz")

    mapped = trained(tmp_path / "limited", tmp_path / "mapped.npz", size // 2)
    assert mapped.returncode == 0, mapped.stderr
    refused = trained(tmp_path / "refused", tmp_path / "read.npz", size // 2)
    assert "MemoryError" in refused.stderr
    read = trained(tmp_path / "free", tmp_path / "read.npz", 8 * size)
    runs = tmp_path / "limited" / mapped.stdout.strip(), tmp_path / "free" / read.stdout.strip()
    limited, free = map(numbers, runs)
    assert limited == free
