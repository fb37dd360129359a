"""An exported folder answers as its run did, and says what it holds."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exporting.folders import exported, run_of
from safetensors.numpy import load_file
from scipy.special import softmax
from support import LIVELY, called

import gkd_runner
from gkd_runner.cli.export import main
from gkd_runner.common.checksums import sealed
from gkd_runner.common.errors import ConfigError, RunError
from gkd_runner.exporting import export, int8, serve_cost
from gkd_runner.exporting.card import write_card
from gkd_runner.exporting.choice import find_run
from gkd_runner.exporting.export import Options, export_run
from gkd_runner.exporting.from_run import student_of_run
from gkd_runner.methods import METHODS
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.predict.folder import PredictError
from gkd_runner.runs.reload import reload_student


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of InfGraND; never changed."""
    return run_of(tmp_path_factory.mktemp("outputs"), "infgrand")


def accuracy(folder: Path, part: str = "test") -> float:
    """Of the folder's own answers on its own split."""
    student = ExportedStudent(folder)
    nodes = getattr(student.graph.splits[0], part)
    answers = student.predict_known(student.graph.ids[nodes])
    return float((answers.predicted == student.graph.labels[nodes]).mean())


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
@pytest.mark.parametrize("method", list(METHODS))
def test_the_files_reproduce_the_accuracy_and_the_answers_of_the_run(
    tmp_path: Path, method: str, setting: str
) -> None:
    run = run_of(tmp_path, method, f"setting={setting}", *LIVELY.get(method, ()))
    for seed in (3, 4):
        folder = exported(run, tmp_path / str(seed), seed=seed).folder
        before = reload_student(run, seed)
        student = ExportedStudent(folder)

        assert accuracy(folder) == before.result.student.scores.test
        expected = softmax(before.student.all, axis=1)
        known = student.predict_known(before.nodes).probabilities
        np.testing.assert_allclose(known, expected, atol=1e-5)
        one_by_one = [student.predict_known([node]).probabilities[0] for node in before.nodes]
        np.testing.assert_allclose(one_by_one, expected, atol=1e-5)
        together = student.predict_all()
        assert together.ids.tolist() == list(range(300))
        np.testing.assert_allclose(together.probabilities[before.nodes], expected, atol=1e-5)
        of_run = student_of_run(run, seed).predict_all()
        np.testing.assert_allclose(of_run.probabilities, together.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        ("method.pooling=max",),
        ("method.pooling=min", "setting=inductive"),
        ("method.propagation_hops=0",),
        ("method.propagation_hops=4", "setting=inductive", "dataset.row_normalize=true"),
        ("setting=inductive", "protocol.observe_unsplit=false"),
    ],
)
def test_options_of_propagation_are_kept(tmp_path: Path, changes: tuple[str, ...]) -> None:
    run = run_of(tmp_path, "infgrand", *changes)
    folder = exported(run, tmp_path / "out", seed=3).folder
    before, student = reload_student(run, 3), ExportedStudent(folder)

    expected = softmax(before.student.all, axis=1)
    for answers in (student.predict_known(before.nodes), student.predict_known(before.nodes)):
        np.testing.assert_allclose(answers.probabilities, expected, atol=1e-5)
    everything = student.predict_all().probabilities
    np.testing.assert_allclose(everything[before.nodes], expected, atol=1e-5)


def test_the_best_seed_by_validation_is_exported(run: Path, tmp_path: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    scores = {seed["seed"]: seed["student"]["scores"]["val"] for seed in result["seeds"]}
    assert scores[3] != scores[4]

    found = exported(run, tmp_path / "best")

    assert found.facts["seeds"] == [max(scores, key=scores.__getitem__)]
    assert any("the best of 2 by validation accuracy" in note for note in found.notes)


def test_the_weights_are_those_of_the_run(run: Path, tmp_path: Path) -> None:
    folder = exported(run, tmp_path / "out", seed=4).folder
    stored, before = load_file(folder / "model.safetensors"), reload_student(run, 4).state
    assert stored.keys() == before.keys()
    for name, value in stored.items():
        np.testing.assert_array_equal(value, before[name].numpy())


def test_a_float16_table_is_half_as_large_and_says_what_it_costs(run: Path, tmp_path: Path) -> None:
    wide = exported(run, tmp_path / "wide", seed=3)
    half = exported(run, tmp_path / "half", seed=3, table="float16")

    sizes = [(found.folder / "propagated.npy").stat().st_size for found in (wide, half)]
    assert sizes[0] - 128 == 2 * (sizes[1] - 128)  # 128 bytes of header
    change = half.facts["table"]["change_of_accuracy"]
    for part in ("val", "test"):
        assert change[part] == accuracy(half.folder, part) - accuracy(wide.folder, part)
    assert f"test accuracy by {100 * change['test']:+.2f} points" in card(half.folder)
    answers = [
        ExportedStudent(found.folder).predict_known([5]).probabilities for found in (wide, half)
    ]
    assert 0 < np.abs(answers[0] - answers[1]).max() < 0.01


def card(folder: Path) -> str:
    return (folder / "README.md").read_text()


def test_an_ensemble_answers_with_the_mean_of_its_seeds(tmp_path: Path) -> None:
    run = run_of(tmp_path, "infgrand", "setting=inductive")
    together = ExportedStudent(exported(run, tmp_path / "all", ensemble=True).folder)

    whole = []
    for seed in (3, 4):
        student = student_of_run(run, seed)
        whole.append(student.probabilities(student.inputs.whole.dense()))
    for answers in (together.predict_known(range(300)), together.predict_all()):
        np.testing.assert_allclose(answers.probabilities, np.mean(whole, axis=0), atol=1e-5)
    one = together.predict_known([7]).probabilities
    np.testing.assert_allclose(one, np.mean(whole, axis=0)[[7]], atol=1e-5)


def test_an_ensemble_of_different_splits_has_no_test_accuracy(run: Path, tmp_path: Path) -> None:
    found = exported(run, tmp_path / "out", ensemble=True)
    assert found.facts["scores"]["exported"] is None
    assert ExportedStudent(found.folder).graph.splits == ()
    assert "splits of their own" in card(found.folder)


def test_files_that_answer_otherwise_than_the_run_are_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(models: Any, classes: Any, metadata: Any) -> Any:
        return real([[(-w, b) for w, b in layers] for layers in models], classes, metadata)

    real = export.onnx_model
    monkeypatch.setattr(export, "onnx_model", wrong)
    with pytest.raises(RunError, match=r"the exported files score .* and the run's student"):
        exported(run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_moved_and_has_lost_its_cache_and_data_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path / "old", "glnn")
    before = reload_student(run, 3).result.student.scores.test
    moved = Path(shutil.copytree(run, tmp_path / "elsewhere" / "run"))
    shutil.rmtree(tmp_path / "old")

    monkeypatch.setattr(serve_cost, "SECONDS", 0.01)

    found = export_run(moved, tmp_path / "out", Options(seed=3))

    assert accuracy(found.folder) == before
    assert found.facts["latency"]["teacher_weights"] == "fresh"
    assert "fresh weights, as its own are no longer cached" in card(found.folder)


def test_times_of_teacher_and_student_are_measured(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_cost, "SECONDS", 0.01)

    found = export_run(run, tmp_path / "out", Options(seed=3))

    latency = found.facts["latency"]
    cells = {(row["model"], row["size"]) for row in latency["rows"]}
    models = {
        "teacher (torch)",
        "student (torch)",
        "student (onnxruntime)",
        "student (gkd-predict)",
    }
    assert cells == {(model, size) for model in models for size in ("1", "64", "all")}
    assert all(0 < row["p50_seconds"] <= row["p99_seconds"] for row in latency["rows"])
    assert latency["teacher_weights"] == "of the run"
    assert latency["bytes"]["table"] == (found.folder / "propagated.npy").stat().st_size
    assert "times as fast as the teacher" in card(found.folder)


@pytest.mark.parametrize("teacher", ["sage", "gat"])
def test_large_graphs_are_not_asked_for_all_nodes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teacher: str
) -> None:
    monkeypatch.setattr(serve_cost, "SECONDS", 0.01)
    monkeypatch.setattr(serve_cost, "LARGEST", 100)
    run = run_of(tmp_path, "glnn", f"teacher={teacher}")

    found = export_run(run, tmp_path / "out", Options(seed=3))

    assert {row["size"] for row in found.facts["latency"]["rows"]} == {"1", "64"}
    assert f"The {teacher} teacher (weights of the run) gathers" in card(found.folder)
    assert "for all nodes" not in card(found.folder)


def test_int8_is_kept_where_it_passes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([2.0, 1.0, 3.0, 1.0])  # float32 and int8, at both sizes
    monkeypatch.setattr(int8, "_seconds", lambda *_: next(seconds))
    monkeypatch.setattr(int8, "TOLERANCE", 1.0)

    found = exported(run, tmp_path / "out", int8=True)

    assert found.facts["int8"]["kept"]
    assert found.facts["int8"]["speed_ups"] == {"1": 2.0, "1024": 3.0}
    assert (found.folder / "model_int8.onnx").is_file()
    assert "`model_int8.onnx` has 8-bit weights" in card(found.folder)
    small = ExportedStudent(found.folder)
    again = int8.ExportedStudent(found.folder, model="model_int8.onnx")
    rows = small.known_inputs(np.arange(50))
    difference = np.abs(small.probabilities(rows) - again.probabilities(rows)).max()
    assert 0 < difference < 0.1


@pytest.mark.parametrize(
    ("seconds", "loss"), [([1.0, 2.0, 3.0, 1.0], 0.0), ([2.0, 1.0, 2.0, 1.0], 0.02)]
)
def test_int8_that_is_slower_or_less_accurate_is_not_written(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: list[float],
    loss: float,
) -> None:
    left, accuracies = iter(seconds), iter([0.8, 0.8 - loss])
    monkeypatch.setattr(int8, "_seconds", lambda *_: next(left))
    monkeypatch.setattr(int8, "_val_accuracy", lambda *_: next(accuracies))

    found = exported(run, tmp_path / "out", int8=True)

    assert not (found.folder / "model_int8.onnx").exists()
    (note,) = [note for note in found.notes if note.startswith("int8 not written: ")]
    assert f"validation accuracy {0 - 100 * loss:+.2f} points" in note


def test_the_card_has_the_facts(tmp_path: Path) -> None:
    run = run_of(tmp_path, "infgrand", "setting=inductive", "dataset.row_normalize=true")
    found = exported(run, tmp_path / "out", seed=3)
    text, result = card(found.folder), reload_student(run, 3).result

    header = text.split("---")[1]
    for line in ("library_name: gkd-runner", "license: unknown", "- infgrand", "- synthetic"):
        assert line in header
    assert f"value: {result.student.scores.test}" in header
    assert f"| test, hidden in training | {100 * result.student.scores.test_hidden:.2f} |" in text
    assert f"error of the student: {result.diagnostics.student_calibration_error:.4f}" in text
    assert f"same class from student and teacher: {100 * result.diagnostics.agreement:.2f}%" in text
    assert "Over the seeds 3, 4 of the run" in text
    assert "of which 20 were hidden during training" in text
    assert "divided by their sum" in text
    assert "the mean, value by value, of `S^p X` for p = 0 to 2" in text
    assert "not known to gkd-runner. State it here" in text


@pytest.mark.parametrize("method", ["infgrand", "glnn"])
def test_the_snippet_of_the_card_answers_with_onnxruntime_alone(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exported(run_of(tmp_path, method), tmp_path / "out", seed=3).folder
    (snippet,) = re.findall(r"```python\n(.*?)```", card(folder), re.DOTALL)
    assert "gkd_runner" not in snippet
    assert len(snippet.splitlines()) == 5
    student = ExportedStudent(folder)
    if method == "infgrand":
        expected = student.predict_known(range(5)).classes
    else:
        expected = student.predict_new(np.zeros((1, 64), dtype=np.float32)).classes

    monkeypatch.chdir(folder)
    exec(snippet, {})

    assert capsys.readouterr().out.strip() == str([str(name) for name in expected])


@pytest.mark.parametrize(("error", "warns"), [(0.04, False), (0.06, True)])
def test_the_card_says_how_new_nodes_are_asked_for_and_how_far_confidence_goes(
    run: Path, tmp_path: Path, error: float, warns: bool
) -> None:
    facts = dict(exported(run, tmp_path / "out", seed=3).facts)
    facts["id2label"] = {"0": "white, dry", "1": "red"}
    facts["features"] = {**facts["features"], "columns": 2, "names": ["age", "visits"]}
    facts["scores"]["recorded"]["3"]["student_calibration_error"] = error

    write_card(facts, tmp_path / "card.md")

    text = (tmp_path / "card.md").read_text()
    assert "`white, dry`, `red`." in text
    assert "gkd-predict FOLDER --features new.csv   " in text
    assert "--features new.csv --neighbours pairs.csv" in text
    assert "a column `id`, and the features `age`, `visits` in any order." in text
    sentence = "as a probability only if the calibration error is small: here it is 0.06."
    assert (sentence in text) == warns
    assert "\n\n\n" not in text


def test_the_folder_has_the_files_that_it_needs(run: Path, tmp_path: Path) -> None:
    common = {"config.json", "README.md", "model.onnx", "model.safetensors", "graph.npz"}
    folder = exported(run, tmp_path / "infgrand").folder
    assert names(folder) == {*common, "propagated.npy", "preprocessing.py"}
    folder = exported(run_of(tmp_path, "glnn"), tmp_path / "glnn").folder
    assert names(folder) == common


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_exported_student_is_replaced_and_any_other_folder_is_not(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    exported(run, out, seed=3)
    assert exported(run, out, seed=4).facts["seeds"] == [4]
    assert json.loads((out / "config.json").read_text())["seeds"] == [4]

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="mine exists and is no exported student"):
        exported(run, tmp_path / "mine")
    assert names(tmp_path / "mine") == {"thesis.txt"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NOTES.md", r"has NOTES\.md, not of an export; name another folder, or delete"),
        ("README.md", r"its README\.md is not as the export wrote it; name another"),
    ],
)
def test_an_export_with_own_files_is_not_replaced(
    run: Path, tmp_path: Path, name: str, message: str
) -> None:
    out = exported(run, tmp_path / "out", seed=3).folder
    with (out / name).open("a") as stream:
        stream.write("my own words")
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ConfigError, match=message):
        exported(run, out, seed=4)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_the_command_says_what_it_wrote(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "serve_cost", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    done = called(monkeypatch, main, "gkd-export", run, "--seed", 3)

    assert done.returncode == 0, done.stderr
    assert "recomputed from the files, as the run recorded it" in done.stdout
    assert "wrote    exported/synthetic-infgrand-3" in done.stdout
    assert (tmp_path / "exported" / "synthetic-infgrand-3" / "config.json").is_file()
    done = called(monkeypatch, main, "gkd-export", run, "--seed", 3)
    assert "replaced exported/synthetic-infgrand-3" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "9"), r"seed 9 is not in .*, which has 3, 4"),
        (("--seed", "3", "--ensemble"), "seed 3 beside ensemble"),
        (("--table", "float8"), "table float8 is not one of float32, float16"),
    ],
)
def test_mistakes_are_named(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = called(monkeypatch, main, "gkd-export", run, *arguments)
    assert done.returncode == 1
    assert re.search(message, done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = called(monkeypatch, main, "gkd-export", tmp_path)
    assert "is not the folder of a run" in done.stderr


def test_the_only_run_below_a_folder_is_taken(run: Path, tmp_path: Path) -> None:
    assert find_run([run]) == run
    assert find_run([run.parents[3]]) == run
    assert find_run([run.parent, run]) == run
    assert find_run([tmp_path]) == tmp_path  # reading it says what it lacks
    with pytest.raises(ConfigError, match="no finished run in"):
        find_run([tmp_path, tmp_path / "nowhere"])


def test_several_runs_are_listed_newest_first(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = json.loads((run / "result.json").read_text())
    for day in range(1, 11):
        folder = tmp_path / "runs" / f"run-{day:02d}"
        folder.mkdir(parents=True)
        changed = {**stored, "started": f"2030-01-{day:02d}T00:00:00+00:00"}
        (folder / "result.json").write_text(json.dumps(sealed(changed)))

    done = called(monkeypatch, main, "gkd-export", tmp_path / "runs")

    assert "10 finished runs in" in done.stderr
    listed = re.findall(r"(run-\d+)  split 0  infgrand  test accuracy (\S+)%", done.stderr)
    accuracy = np.mean([seed["student"]["scores"]["test"] for seed in stored["seeds"]])
    assert listed == [(f"run-{day:02d}", f"{100 * accuracy:.2f}") for day in range(10, 2, -1)]


def test_a_student_is_loaded_from_its_run_or_its_exported_folder(run: Path, tmp_path: Path) -> None:
    folder = exported(run, tmp_path / "out", seed=4).folder
    of_run, of_folder = gkd_runner.load_student(run, seed=4), gkd_runner.load_student(str(folder))

    ids = [0, 250, 7]
    expected = of_run.predict_known(ids)
    found = of_folder.predict_known(ids)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
    assert found.classes.tolist() == expected.classes.tolist()
    with pytest.raises(ConfigError, match="is an exported student; leave the seed out"):
        gkd_runner.load_student(folder, seed=4)
    with pytest.raises(PredictError, match="is not an exported student"):
        gkd_runner.load_student(tmp_path)
