"""Students learn from the logits in a file as from the teacher that wrote them."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from gkd_runner.cli.inspect import main as gkd_inspect
from gkd_runner.common.errors import ConfigError
from gkd_runner.config.build import compose
from gkd_runner.config.command_line import check_overrides
from gkd_runner.data.protocols import make_task
from gkd_runner.exporting.export import export_run
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config
from gkd_runner.results.frame import load_runs
from gkd_runner.results.key import config_key
from gkd_runner.results.stored import read_run
from gkd_runner.runs.reload import reload_run
from gkd_runner.runs.train import train
from gkd_runner.studies import STUDIES
from gkd_runner.studies.cases import study_cases
from gkd_runner.sweeps.targets import target_cells
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.student import train_students
from tests.support import CPU, LIVELY, SMALL, Done, silent, small_graph, teachers

SHAPE = ("dataset.nodes=300", "dataset.features=64", "training.max_epochs=12", "seeds=[3,4]")
SMALL_TEACHER = "teacher.hidden_dim=16"
STUDENT = "student.hidden_dim=16"
SEEDS = (3, 4)


def outside(path: Path | str, *overrides: str) -> Config:
    """The configuration of ``small_run`` with the logits in ``path`` for a teacher."""
    size = [text for text in SMALL if text != SMALL_TEACHER]
    return compose([*size, *SHAPE, STUDENT, f"teacher='{path}'", "method=glnn", *overrides])


@pytest.fixture(scope="module", params=["transductive", "inductive"])
def setting(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def origin(setting: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a GCN teacher and ``glnn``."""
    folder = tmp_path_factory.mktemp("origin")
    own = ("method=glnn", f"setting={setting}", f"output_dir={folder}")
    return train(compose([*SMALL, *SHAPE, *own])).path


@pytest.fixture(scope="module")
def written(origin: Path) -> dict[str, Any]:
    """The logits of its teachers before calibration, ``[s, n, C]``, in the order of the nodes."""
    sets = []
    for seed in SEEDS:
        again = reload_run(origin, seed)
        teacher = again.soft_labels.teacher
        rows = np.concatenate([teacher.observed_logits, teacher.hidden_logits])
        placed = np.full((again.task.graph.num_nodes, rows.shape[1]), 7, dtype=np.float32)
        placed[again.nodes] = rows  # nodes in no split of an inductive run have no logits
        sets.append(placed)
    return {"logits": np.stack(sets), "seeds": np.array(SEEDS)}


def weights(run: Path) -> list[dict[str, Any]]:
    return [load_file(run / f"student-{seed}.safetensors") for seed in SEEDS]


def same_results(run: Path, other: Path) -> bool:
    """Whether both runs have the same students, scores and temperatures, bit for bit."""
    ours, theirs = (read_run(path) for path in (run, other))
    assert ours is not None
    assert theirs is not None
    students = zip(weights(run), weights(other), strict=True)
    pairs = [(a[name], b[name]) for a, b in students for name in a]
    return all(np.array_equal(a, b) for a, b in pairs) and all(
        (a.student.scores, a.teacher.scores, a.temperature, a.diagnostics)
        == (b.student.scores, b.teacher.scores, b.temperature, b.diagnostics)
        for a, b in zip(ours.seeds, theirs.seeds, strict=True)
    )


def run_of(folder: Path, setting: str, **arrays: Any) -> Path:
    np.savez(folder / "logits.npz", **arrays)
    own = (f"setting={setting}", f"output_dir={folder}")
    return train(outside(folder / "logits.npz", *own)).path


def test_students_are_those_of_the_teacher_itself(
    origin: Path, written: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    assert same_results(run_of(tmp_path, setting, **written), origin)


def test_students_are_the_same_whatever_the_order_of_rows_and_columns(
    origin: Path, written: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows, columns = (rng.permutation(size) for size in written["logits"].shape[1:])
    moved = written["logits"][:, rows][:, :, columns]
    run = run_of(
        tmp_path, setting, logits=moved, seeds=written["seeds"], node_ids=rows, class_names=columns
    )

    assert same_results(run, origin)


def test_result_and_table_of_a_run_say_that_nothing_was_trained(
    written: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    run = run_of(tmp_path, setting, **written)
    raw = json.loads((run / "result.json").read_text())
    stored = read_run(run)

    assert stored is not None
    assert raw["identity"]["teacher"] == "precomputed"
    assert raw["teacher_file"]["path"] == str(tmp_path / "logits.npz")
    assert len(raw["teacher_file"]["doubts"]) == (setting == "inductive")
    assert raw["latency"]["teacher"] is None
    for seed in stored.seeds:
        assert (seed.teacher.epochs, seed.teacher.seconds) == (0, None)
        assert seed.teacher_answer_seconds is None
        assert seed.student_answer_seconds is not None
    table = load_runs([tmp_path])
    assert table["teacher_seconds"].isna().all()
    assert table["teacher_answer_seconds"].isna().all()
    assert table["teacher_best_epoch"].tolist() == [0, 0]


def test_the_closing_table_names_the_file(
    written: dict[str, Any], setting: str, tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    np.savez(tmp_path / "logits.npz", **written)
    size = [text for text in SMALL if text != SMALL_TEACHER]
    options = (*size, *SHAPE, STUDENT, "method=glnn", f"setting={setting}")
    done = gkd_train(tmp_path, *options, "teacher=logits.npz")

    assert done.returncode == 0, done.stderr
    assert "soft labels: from logits.npz" in done.stdout
    (teacher,) = (line for line in done.stdout.splitlines() if line.startswith(" teacher "))
    assert teacher.split()[-2:] == ["—", "—"]
    assert ("hidden nodes" in done.stderr) == (setting == "inductive")


def test_the_inductive_doubt_is_told_once(
    written: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.savez(tmp_path / "logits.npz", **written)
    logging.getLogger("gkd_runner").propagate = True
    for method in ("glnn", "mlp"):
        own = ("setting=inductive", f"output_dir={tmp_path}", f"method={method}")
        train(outside(tmp_path / "logits.npz", *own))

    told = [record.message for record in caplog.records if "hidden nodes" in record.message]
    assert len(told) == 1


def test_the_run_is_read_again_after_its_file_is_gone(
    written: dict[str, Any], setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, setting, **written)
    (tmp_path / "logits.npz").unlink()
    nodes = tmp_path / "nodes.csv"
    arguments = ["gkd-inspect", "--run", str(run), "--seed", "4", "--out", str(nodes)]
    monkeypatch.setattr("sys.argv", arguments)
    gkd_inspect()

    again = reload_run(run, 4)
    np.testing.assert_array_equal(
        again.soft_labels.teacher.observed_logits, written["logits"][1][again.task.observed]
    )
    assert "teacher_prediction" in nodes.read_text().splitlines()[0]


def test_the_card_of_an_exported_student_says_where_its_teacher_is_from(
    written: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    run = run_of(tmp_path, setting, **written)
    exported = export_run(run, tmp_path / "student")
    card = (exported.folder / "README.md").read_text()

    assert "from the logits of a teacher that was trained elsewhere" in card
    assert "How long the teacher takes is not known" in card
    assert "times as fast" not in card
    assert "| teacher" not in card
    assert ("whether their teacher saw the hidden nodes" in card) == (setting == "inductive")
    assert exported.facts["latency"]["teacher_weights"] is None


def test_the_key_of_a_run_goes_by_the_content_of_the_file(tmp_path: Path) -> None:
    def key(path: Path) -> str:
        return config_key(outside(path), small_graph(), CPU)

    values = np.random.default_rng(0).normal(size=(300, 4))
    one, copy, other = (tmp_path / f"{name}.npz" for name in ("one", "copy", "other"))
    np.savez(one, logits=values)
    shutil.copy(one, copy)
    np.savez(other, logits=2 * values)

    assert key(one) == key(copy) != key(other)
    np.savez(one, logits=3 * values)
    assert key(one) not in (key(copy), key(other))


@pytest.mark.parametrize("launcher", [(), ("hydra/launcher=basic",)], ids=str)
def test_a_sweep_has_a_trained_teacher_and_a_file_side_by_side(
    launcher: tuple[str, ...],
    written: dict[str, Any],
    tmp_path: Path,
    gkd_train: Callable[..., Done],
) -> None:
    np.savez(tmp_path / "logits.npz", **written)
    size = [text for text in SMALL if text != SMALL_TEACHER]
    swept = ("method=mlp,glnn", "teacher=gcn,logits.npz")
    done = gkd_train(tmp_path, "-m", *launcher, *size, *SHAPE, STUDENT, *swept)

    assert done.returncode == 0, done.stderr
    runs = load_runs([tmp_path / "outputs"])
    assert runs.groupby(["teacher", "method"]).size().to_dict() == {
        (teacher, method): 2 for teacher in ("gcn", "precomputed") for method in ("mlp", "glnn")
    }


def test_a_graph_in_memory_is_taught(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    graph = replace(small_graph(), name="mine", node_ids=np.array([f"n{i}" for i in range(300)]))
    order = rng.permutation(300)
    values = rng.normal(size=(300, 4)) + 3 * np.eye(4)[graph.labels]
    np.savez(tmp_path / "mine.npz", logits=values[order], node_ids=graph.ids[order])
    size = [text for text in SMALL if text not in (SMALL_TEACHER, "dataset=synthetic")]
    options = ("dataset=custom", "method=glnn", "seeds=[0]", STUDENT, f"output_dir={tmp_path}")
    config = compose(
        [*size, *options, "teacher=precomputed", f"teacher.logits={tmp_path}/mine.npz"]
    )
    result = train(config, graph)

    (seed,) = result.seeds
    test = make_task(graph, config, 0).split.test
    right = values.argmax(1) == graph.labels
    assert seed.teacher.scores.test == pytest.approx(right[test].mean())


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].distils])
def test_a_method_that_asks_its_teacher_says_so_and_is_refused(method: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "logits.npz", logits=np.random.default_rng(0).normal(size=(300, 5)))
    own = (f"method={method}", f"output_dir={tmp_path}", "training.max_epochs=3", "seeds=[3]")
    if METHODS[method].asks_teacher:
        with pytest.raises(ConfigError, match=rf"method={method} asks its teacher about other"):
            outside(tmp_path / "logits.npz", *own, *LIVELY.get(method, ()))
    else:
        config = outside(tmp_path / "logits.npz", *own, *LIVELY.get(method, ()))
        assert len(train(config).seeds) == 1


def test_an_asked_file_does_not_answer(tmp_path: Path) -> None:
    """As for a method of another package that does not say that it asks."""
    settings = compose([*SMALL, "method=krd", "seeds=[0]"])
    (task,) = (make_task(small_graph(), settings, seed) for seed in settings.seeds)
    (teacher,) = teachers(settings, [task])
    unsaid = replace(settings, teacher=outside(tmp_path / "logits.npz").teacher)
    labels = SoftLabels(teacher, "", cached=False, temperature=1.0)
    with pytest.raises(ConfigError, match="teacher=precomputed is a file of logits"):
        train_students([task], [labels], unsaid, CPU, silent)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("teacher=nowhere.npz", "teacher.logits=nowhere.npz: no such file"),
        ("teacher=precomputed", "teacher.logits has no value"),
        ("teacher=min", "did you mean 'mine.npy'?"),
        ("teacher=mine", "(a teacher from elsewhere: teacher=my-logits.npz)"),
        ("teacher=mine.npy teacher.hidden_dim=8", "teacher.hidden_dim is not an option"),
        ("teacher.logits=mine.npy", "teacher.logits is not an option"),
    ],
)
def test_mistakes_on_the_command_line_are_named(
    options: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("mine.npy", np.zeros((4, 2)))
    with pytest.raises(ConfigError) as refused:
        check_overrides(["dataset=synthetic", "method=glnn", *options.split()])
    assert told in str(refused.value)


def test_two_files_in_one_sweep_are_refused(tmp_path: Path, gkd_train: Callable[..., Done]) -> None:
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, np.zeros((4, 2)))
    done = gkd_train(tmp_path, "-m", "dataset=synthetic", "teacher=a.npy,b.npy")

    assert done.returncode == 1
    assert "a.npy, b.npy: tables would show only one of them" in done.stderr


def test_commands_that_train_teachers_refuse_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "logits.npy", np.zeros((4, 2)))
    teacher = {"datasets": "cora", "teachers": f"gcn,{tmp_path}/logits.npy"}
    told = "teacher=precomputed is a file of logits, and this command trains its teachers"
    with pytest.raises(ConfigError, match=told):
        target_cells("infgrand", teacher, [])
    with pytest.raises(ConfigError, match=told):
        study_cases(STUDIES["inference"], teacher, [])
