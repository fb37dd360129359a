"""A finished run read back gives its own numbers, or says why it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

import gkd_runner.runs.job as job
from gkd_runner.common.errors import RunError
from gkd_runner.data.npz import save_npz
from gkd_runner.data.task import Task
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config
from gkd_runner.results.scoring import scores
from gkd_runner.runs.reload import reload_run, reload_student
from gkd_runner.runs.train import train
from tests.support import LIVELY, config, seal_again, small_graph, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; never changed."""
    return small_run(tmp_path_factory.mktemp("outputs"), "method=glnn")


@pytest.fixture
def run_copy(run: Path, tmp_path: Path) -> Path:
    """The run to break; its cached teachers stay where they are."""
    return Path(shutil.copytree(run, tmp_path / "run"))


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
@pytest.mark.parametrize("method", list(METHODS))
def test_a_reloaded_seed_has_the_logits_and_the_accuracy_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, setting: str
) -> None:
    left: dict[int, Any] = {}
    score = job.seed_result

    def watch(task: Task, labels: Any, student: Any, settings: Config) -> Any:
        left[task.seed] = (labels, student)
        return score(task, labels, student, settings)

    monkeypatch.setattr(job, "seed_result", watch)
    path = small_run(tmp_path, f"method={method}", f"setting={setting}", *LIVELY.get(method, ()))

    results = json.loads((path / "result.json").read_text())["seeds"]
    for seed, result in zip((3, 4), results, strict=True):
        found = reload_run(path, seed)
        labels, student = left[seed]
        np.testing.assert_array_equal(found.student.observed, student.observed_logits)
        np.testing.assert_array_equal(found.student.hidden, student.hidden_logits)
        np.testing.assert_array_equal(found.teacher.observed, labels.logits)
        hidden = labels.teacher.hidden_logits / np.float32(labels.temperature)
        np.testing.assert_array_equal(found.teacher.hidden, hidden)
        for stage in ("teacher", "student"):
            logits = getattr(found, stage)
            now = scores(found.task, logits.observed, logits.hidden)
            assert vars(now) == result[stage]["scores"]
        assert len(found.student.hidden) == (20 if setting == "inductive" else 0)


@pytest.mark.parametrize(
    "change", ["protocol.label_fraction=0.5", "calibration=none", "method.pooling=max"]
)
def test_a_reloaded_run_keeps_its_options(tmp_path: Path, change: str) -> None:
    path = small_run(tmp_path, "setting=inductive", change)
    found = reload_run(path)

    assert asdict(found.config) == OmegaConf.to_container(OmegaConf.load(path / "config.yaml"))
    now = scores(found.task, found.student.observed, found.student.hidden)
    assert now == found.result.student.scores


def test_files_that_moved_are_found_where_they_are_said_to_be(
    run_copy: Path, tmp_path: Path
) -> None:
    old = Path(reload_run(run_copy).config.cache_dir)
    shutil.copytree(old, tmp_path / "elsewhere")
    stored = (run_copy / "config.yaml").read_text().replace(str(old), str(tmp_path / "gone"))
    (run_copy / "config.yaml").write_text(stored)
    seal_again(run_copy)

    with pytest.raises(RunError, match=r"gone/\w+\.safetensors, is not there; give cache_dir="):
        reload_run(run_copy)
    found = reload_run(run_copy, moved={"cache_dir": str(tmp_path / "elsewhere")})
    assert found.result.seed == 3


def test_a_student_needs_nothing_but_the_folder_of_its_run(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    save_npz(small_graph(), data / "mine.npz")
    own = ("dataset=custom", f"dataset.path={data / 'mine.npz'}", "dataset.name=mine")
    own += ("method=infgrand", "setting=inductive", "seeds=[3,4]", "training.max_epochs=12")
    path = train(config(*own, f"output_dir={tmp_path / 'outputs'}")).path
    before = reload_run(path)
    moved = Path(shutil.copytree(path, tmp_path / "another machine"))
    shutil.rmtree(data)
    shutil.rmtree(tmp_path / "outputs")

    found = reload_student(str(moved))

    np.testing.assert_array_equal(found.student.all, before.student.all)
    with pytest.raises(RunError, match=r"teacher of seed 3, .* is not there; give cache_dir="):
        reload_run(moved)


def test_a_moved_output_folder_brings_its_teachers_along(tmp_path: Path) -> None:
    path = small_run(tmp_path / "outputs", "method=glnn")
    (tmp_path / "outputs").rename(tmp_path / "moved")

    assert reload_run(tmp_path / "moved" / path.relative_to(tmp_path / "outputs")).result.seed == 3


def test_a_broken_teacher_file_is_named_and_left_alone(run_copy: Path, tmp_path: Path) -> None:
    key = json.loads((run_copy / "result.json").read_text())["seeds"][0]["teacher_key"]
    broken = tmp_path / "cache" / f"{key}.safetensors"
    broken.parent.mkdir()
    broken.write_bytes(b"nothing")

    with pytest.raises(RunError, match=r"is damaged \(.*rerun=true"):
        reload_run(run_copy, moved={"cache_dir": str(broken.parent)})
    assert broken.read_bytes() == b"nothing"


def test_a_graph_that_is_not_the_runs_is_refused(tmp_path: Path) -> None:
    save_npz(small_graph(), tmp_path / "mine.npz")
    own = ("dataset=custom", f"dataset.path={tmp_path / 'mine.npz'}", "method=mlp", "seeds=[0]")
    path = train(config(*own, "training.max_epochs=2", f"output_dir={tmp_path}")).path
    labels = small_graph().labels.copy()
    labels[0] = (labels[0] + 1) % 4
    save_npz(replace(small_graph(), labels=labels), tmp_path / "mine.npz")

    with pytest.raises(RunError, match=r"the graph custom is not the one of this run .*data_dir="):
        reload_run(path, moved={"dataset.path": str(tmp_path / "mine.npz")})
    (path / "graph.npz").unlink()  # as for a run of an early version
    with pytest.raises(RunError, match=r"the graph custom is not the one of this run .*data_dir="):
        reload_run(path)
    (tmp_path / "mine.npz").unlink()
    with pytest.raises(RunError, match=r"has no graph\.npz, and its graph custom is not where"):
        reload_run(path)


def edited(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    seal_again(run, change)


def test_a_split_that_is_drawn_otherwise_now_is_refused(run_copy: Path) -> None:
    edited(run_copy, lambda result: result["seeds"][0].update(split_hash="0" * 64))

    with pytest.raises(RunError, match="draws another split for seed 3 now"):
        reload_run(run_copy)


def test_a_result_of_another_version_is_refused(run_copy: Path) -> None:
    edited(run_copy, lambda result: result.update(format=1))

    with pytest.raises(RunError, match=r"result\.json cannot be used \(it has format 1, this"):
        reload_run(run_copy)


def test_an_option_that_is_no_more_is_named(run_copy: Path) -> None:
    with (run_copy / "config.yaml").open("a") as file:
        file.write("old_option: 3\n")
    seal_again(run_copy)

    with pytest.raises(RunError, match=r"config\.yaml does not fit this version \(old_option is"):
        reload_run(run_copy)


def test_a_student_that_scores_otherwise_than_its_run_says_is_refused(run_copy: Path) -> None:
    def better(result: dict[str, Any]) -> None:
        result["seeds"][0]["student"]["scores"]["test"] += 0.02

    edited(run_copy, better)
    with pytest.raises(RunError, match=r"scores \d+\.\d\d% now and \d+\.\d\d% in result.json"):
        reload_run(run_copy)


def test_a_student_that_is_gone_is_named(run_copy: Path) -> None:
    (run_copy / "student-3.safetensors").unlink()

    with pytest.raises(
        RunError, match=r"student-3\.safetensors is unreadable \(.*No such file.*run it again"
    ):
        reload_run(run_copy)


def test_an_unfinished_run_is_refused(run_copy: Path) -> None:
    (run_copy / "result.json").unlink()

    with pytest.raises(RunError, match=r"is not finished: it has no result\.json"):
        reload_run(run_copy)
