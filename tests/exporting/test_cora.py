"""Exported students of Cora reproduce the recorded accuracy without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gkd_runner.config.build import compose
from gkd_runner.data.npz import load_npz
from gkd_runner.exporting.export import Exported, Options, export_run
from gkd_runner.predict import folder as files
from gkd_runner.runs.train import train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("glnn", "hgmd-mixup", "infgrand")


@pytest.fixture(scope="module", params=METHODS)
def student(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A student with the shape of the published one, trained for a few epochs."""
    place = tmp_path_factory.mktemp("cora")
    chosen = ["dataset=cora", f"method={request.param}", "seeds=[0]", "tracker=none"]
    length = ["training.max_epochs=8", f"output_dir={place}"]
    run = train(compose([*chosen, *length])).path
    return export_run(run, place / "student", Options(measures=False))


def test_the_recorded_accuracy_is_reproduced_without_torch(
    student: Exported, tmp_path: Path
) -> None:
    graph = load_npz(student.folder / files.GRAPH, "cora")
    test = graph.splits[0].test
    (tmp_path / "ids.csv").write_text("id\n" + "\n".join(map(str, graph.ids[test])) + "\n")
    blocked = (
        "import sys; sys.modules['torch'] = sys.modules['pandas'] = None;"
        " from gkd_runner.cli.predict import main; main()"
    )
    for request in (("--nodes", tmp_path / "ids.csv"), ("--all",)):
        out = tmp_path / "answers.json"
        arguments = [str(part) for part in (student.folder, *request, "--out", out)]
        subprocess.run([sys.executable, "-c", blocked, *arguments], check=True, timeout=120)
        classes = {entry["id"]: entry["class"] for entry in json.loads(out.read_text())}
        right = [classes[graph.ids[node]] == str(graph.labels[node]) for node in test.tolist()]
        recorded = student.facts["scores"]["recorded"]["0"]["student"]["test"]
        assert np.mean(right) == recorded


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with gkd-runner's wheel and its extra ``predict``."""
    place = tmp_path_factory.mktemp("light")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(place), str(ROOT)]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = place.glob("gkd_runner-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(place / "env")], check=True, timeout=120)
    programs = place / "env" / "bin"
    install = [str(programs / "python"), "-m", "pip", "install", "-q"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*install, *constraints, f"{wheel}[predict]"], check=True, timeout=600)
    return programs


def test_an_installed_wheel_with_the_light_extra_answers(
    student: Exported, light: Path, tmp_path: Path
) -> None:
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    torch = [str(light / "python"), "-c", "import torch"]
    done = subprocess.run(torch, check=False, capture_output=True, text=True, env=outside)
    assert "No module named 'torch'" in done.stderr
    command = [str(light / "gkd-predict"), str(student.folder), "--all", "--out"]
    out = tmp_path / "answers.json"
    subprocess.run([*command, str(out)], check=True, timeout=120, env=outside, cwd=tmp_path)
    graph = load_npz(student.folder / files.GRAPH, "cora")
    predicted = np.array([int(entry["class"]) for entry in json.loads(out.read_text())])
    test = graph.splits[0].test
    recorded = student.facts["scores"]["recorded"]["0"]["student"]["test"]
    assert np.mean(predicted[test] == graph.labels[test]) == recorded
