"""Answers for known and new nodes, in the ids and classes of the source."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from exporting.folders import exported
from support import config, dense, small_graph

from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import save_npz
from gkd_runner.graph.features import Features
from gkd_runner.methods import build_method
from gkd_runner.models.inputs import row_inputs
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.predict.folder import PredictError
from gkd_runner.runs.reload import _student, reload_student
from gkd_runner.runs.train import train

CLASSES = ("red", "green", "blue", "grau")
NEW = 4
"""The last nodes of the graph, which come after training."""


def named_graph() -> GraphData:
    """A graph with text ids and class names."""
    ids = np.array([f"paper-{7 * i % 300:03d}" for i in range(300)])
    return replace(small_graph(), node_ids=ids, class_names=CLASSES)


class World:
    """A student trained without the last nodes of a graph, and the whole graph."""

    def __init__(self, folder: Path, method: str, *overrides: str, sparse: bool = True) -> None:
        self.whole = named_graph()
        if not sparse:
            self.whole = replace(self.whole, features=dense(self.whole.features).astype(np.float32))
        known = self.whole.subgraph(np.arange(300 - NEW))
        save_npz(known, folder / "known.npz")
        own = ("dataset=custom", f"dataset.path={folder / 'known.npz'}", f"method={method}")
        size = ("training.max_epochs=12", "seeds=[0]", f"output_dir={folder}")
        self.run = train(config(*own, *size, *overrides)).path
        self.student = ExportedStudent(exported(self.run, folder / "student").folder)

    @property
    def new(self) -> Any:
        """Raw features of the new nodes."""
        return self.whole.features[300 - NEW :]

    @property
    def ids(self) -> np.ndarray:
        return self.whole.ids[300 - NEW :]

    @property
    def neighbours(self) -> list[list[str]]:
        rows = [self.whole.adjacency[[node]].indices for node in range(300 - NEW, 300)]
        return [self.whole.ids[row].tolist() for row in rows]

    def recomputed(self) -> np.ndarray:
        """Probabilities of the new nodes by torch, with features of the whole graph."""
        reloaded = reload_student(self.run)
        features = self.whole.features
        if reloaded.config.dataset.row_normalize:
            sums = dense(features).sum(1, keepdims=True)
            features = (dense(features) / sums).astype(np.float32)
        whole = replace(self.whole, features=features)
        inputs: Features = build_method(reloaded.config.method).features(whole)
        model = _student(reloaded.config, reloaded.task, reloaded.state)
        with torch.no_grad():
            logits = model(row_inputs([Features(inputs.dense())], torch.device("cpu")))[0]
        return torch.softmax(logits, 1).numpy()[300 - NEW :]


@pytest.fixture(scope="module")
def infgrand(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("infgrand"), "infgrand", "dataset.row_normalize=true")


@pytest.fixture(scope="module")
def glnn(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("glnn"), "glnn")


@pytest.fixture(params=["infgrand", "glnn"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def test_the_exact_answer_for_a_new_node_is_that_of_a_full_recomputation(world: World) -> None:
    answers = world.student.predict_new(world.new, world.neighbours, ids=world.ids)

    assert answers.ids.tolist() == world.ids.tolist()
    np.testing.assert_allclose(answers.probabilities, world.recomputed(), atol=1e-5)


@pytest.mark.parametrize("overrides", [("method.pooling=max",), ("method.propagation_hops=4",)])
@pytest.mark.parametrize("sparse", [True, False])
def test_exact_answers_under_other_options(
    tmp_path: Path, overrides: tuple[str, ...], sparse: bool
) -> None:
    world = World(tmp_path, "infgrand", *overrides, sparse=sparse)
    answers = world.student.predict_new(world.new, world.neighbours, ids=world.ids)
    np.testing.assert_allclose(answers.probabilities, world.recomputed(), atol=1e-5)
    one = world.student.predict_new(world.new[[0]], world.neighbours[:1])
    assert one.ids.tolist() == ["new-0"]


def test_cheap_answers_differ_from_exact_ones_and_come_nearer_than_raw_ones(
    infgrand: World,
) -> None:
    student, new = infgrand.student, infgrand.new
    exact = student.predict_new(new, infgrand.neighbours, ids=infgrand.ids).probabilities

    cheap = student.predict_new(new, infgrand.neighbours, ids=infgrand.ids, exact=False)

    raw = student.predict_new(new)
    distances = [np.abs(answers.probabilities - exact).mean() for answers in (cheap, raw)]
    assert 0 < distances[0] < distances[1]


def test_neighbours_do_not_change_answers_from_raw_features_and_the_log_says_so_once(
    glnn: World, caplog: pytest.LogCaptureFixture
) -> None:
    student = ExportedStudent(glnn.student.folder)
    with caplog.at_level(logging.WARNING, "gkd_runner"):
        answers = [student.predict_new(glnn.new, glnn.neighbours) for _ in range(2)]
    alone = student.predict_new(glnn.new)

    np.testing.assert_array_equal(answers[0].probabilities, alone.probabilities)
    assert [record.getMessage() for record in caplog.records] == [
        "the student reads raw features: neighbours do not change its answers"
    ]


def test_known_nodes_are_answered_in_the_order_asked_with_names(world: World) -> None:
    student, ids = world.student, world.whole.ids
    everything = student.predict_all()
    assert everything.ids.tolist() == ids[: 300 - NEW].tolist()

    asked = [ids[5], ids[200], ids[5]]
    answers = student.predict_known(asked)

    assert answers.ids.tolist() == asked
    rows = everything.probabilities[[5, 200, 5]]
    np.testing.assert_allclose(answers.probabilities, rows, atol=1e-6)
    assert answers.classes.tolist() == [CLASSES[row.argmax()] for row in rows]
    np.testing.assert_allclose(answers.confidence, rows.max(1), atol=1e-6)
    np.testing.assert_allclose(answers.probabilities.sum(1), 1, atol=1e-5)
    assert len(student.predict_known([])) == 0


def test_batches_do_not_change_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = world.student.predict_known(world.whole.ids[: 300 - NEW])
    monkeypatch.setattr("gkd_runner.predict.student.BATCH", 7)
    parts = world.student.predict_known(world.whole.ids[: 300 - NEW])
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-6)


def test_sparse_and_dense_features_of_new_nodes_are_the_same(world: World) -> None:
    given = world.student.predict_new(sp.csr_array(world.new)).probabilities
    spelled = world.student.predict_new(dense(world.new).astype(np.float32)).probabilities
    np.testing.assert_allclose(given, spelled, atol=1e-6)


def test_unknown_nodes_are_named_with_the_nearest_known_one(world: World) -> None:
    with pytest.raises(PredictError, match=r"node 'paper-9999' and 1 more is not in the graph"):
        world.student.predict_known(["paper-001", "paper-9999", "x"])
    with pytest.raises(PredictError, match=r"did you mean 'paper-\d+'"):
        world.student.predict_known(["paper-1000"])
    with pytest.raises(PredictError) as refused:
        world.student.predict_known(["page-17"])
    assert "did you mean" not in str(refused.value)


def test_one_text_is_one_node(world: World) -> None:
    assert world.student.predict_known("paper-001").ids.tolist() == ["paper-001"]


def test_new_nodes_have_no_neighbours_by_default(world: World) -> None:
    alone = world.student.predict_new(world.new, ids=world.ids)
    found = world.student.predict_new(world.new, ids=world.ids)
    np.testing.assert_array_equal(found.probabilities, alone.probabilities)


@pytest.mark.parametrize("neighbours", [None, [[]]])
def test_a_known_id_is_refused_for_a_new_node(world: World, neighbours: Any) -> None:
    with pytest.raises(PredictError, match="is in the graph custom already"):
        world.student.predict_new(world.new[[0]], neighbours, ids=world.whole.ids[:1])


def test_requests_that_do_not_fit_are_refused(infgrand: World) -> None:
    student, new = infgrand.student, infgrand.new
    with pytest.raises(PredictError, match="79 features per node; custom has 80"):
        student.predict_new(new[:, 1:])
    with pytest.raises(PredictError, match="NaN or infinite"):
        student.predict_new(np.full((1, 80), np.nan, dtype=np.float32))
    with pytest.raises(PredictError, match="1 lists of neighbours for 4 new nodes"):
        student.predict_new(new, [[]])
    with pytest.raises(PredictError, match="node 'nobody' is not in the graph"):
        student.predict_new(new[[0]], [["nobody"]])
    with pytest.raises(PredictError, match="not unique"):
        student.predict_new(new[:2], ids=np.array(["a", "a"]))
    with pytest.raises(PredictError, match="is in the graph custom already"):
        student.predict_new(new[[0]], [[]], ids=infgrand.whole.ids[:1])


@pytest.mark.parametrize("name", ["graph.npz", "model.onnx"])
def test_a_missing_file_is_named(infgrand: World, tmp_path: Path, name: str) -> None:
    for path in infgrand.student.folder.iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    student = ExportedStudent(tmp_path)
    with pytest.raises(PredictError, match=rf"lacks {name}, which .* export the run again"):
        student.predict_new(infgrand.new, infgrand.neighbours, ids=infgrand.ids)


def test_folders_that_are_not_exported_students_are_refused(
    infgrand: World, tmp_path: Path
) -> None:
    with pytest.raises(PredictError, match="folder of a run; export it first: gkd-export"):
        ExportedStudent(infgrand.run)
    with pytest.raises(PredictError, match=r"has no config\.json"):
        ExportedStudent(tmp_path)
    with pytest.raises(PredictError, match="there is no such folder"):
        ExportedStudent(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(PredictError, match=r"model_type in its config\.json is 'bert'"):
        ExportedStudent(tmp_path)


def test_a_student_without_a_recipe_answers_known_nodes_only(infgrand: World) -> None:
    student = ExportedStudent(infgrand.student.folder)
    student.facts = replace(student.facts, recipe=None)
    expected = infgrand.student.predict_all().probabilities
    np.testing.assert_allclose(student.predict_all().probabilities, expected, atol=1e-6)
    with pytest.raises(PredictError, match="does not say how it propagates"):
        student.predict_new(infgrand.new, infgrand.neighbours, ids=infgrand.ids)


def test_numeric_ids_may_be_given_as_text_and_the_nearest_is_named(tmp_path: Path) -> None:
    graph = replace(small_graph(), node_ids=np.arange(300)[::-1] * 10)
    save_npz(graph, tmp_path / "mine.npz")
    own = ("dataset=custom", f"dataset.path={tmp_path / 'mine.npz'}", "method=mlp", "seeds=[0]")
    run = train(config(*own, "training.max_epochs=2", f"output_dir={tmp_path}")).path
    student = ExportedStudent(exported(run, tmp_path / "out").folder)

    answers = student.predict_known(["20", "2990"])

    assert answers.ids.tolist() == [20, 2990]
    everything = student.predict_all().probabilities
    np.testing.assert_allclose(answers.probabilities, everything[[297, 0]], atol=1e-6)
    with pytest.raises(PredictError, match=r"node 2994 .*the nearest id is 2990"):
        student.predict_known([2994])
    with pytest.raises(PredictError, match="the node ids of custom are whole numbers, such as"):
        student.predict_known(["alice"])
