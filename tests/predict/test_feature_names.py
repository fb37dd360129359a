"""Columns of new nodes are found by the names that the training graph's features have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exporting.folders import exported
from support import called, config

from gkd_runner.cli.predict import main
from gkd_runner.data.importing.load import load_graph
from gkd_runner.data.importing.names import ENDS, IDS
from gkd_runner.data.npz import load_npz, save_npz
from gkd_runner.predict.columns import Width
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.predict.requests import read_features, read_pairs
from gkd_runner.runs.reload import reload_student
from gkd_runner.runs.train import train

FEATURES = ("age", "visits", "score")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student on a graph imported from tables with named columns; never changed."""
    place = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(0)
    rows = [
        f"u{node},{'ab'[node % 2]}," + ",".join(f"{x:.3f}" for x in rng.random(3) + node % 2)
        for node in range(240)
    ]
    (place / "nodes.csv").write_text("\n".join([f"id,class,{','.join(FEATURES)}", *rows]))
    edges = [f"u{node},u{(node + 2) % 240}" for node in range(240)]
    (place / "edges.csv").write_text("\n".join(["source,target", *edges]))
    save_npz(load_graph(place / "edges.csv", nodes=place / "nodes.csv"), place / "mine.npz")
    own = ("dataset=custom", f"dataset.path={place / 'mine.npz'}", "method=glnn", "seeds=[0]")
    run = train(config(*own, "training.max_epochs=20", f"output_dir={place}")).path
    assert reload_student(run).task.graph.feature_names == FEATURES
    return exported(run, place / "student").folder


def answer(folder: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    done = called(monkeypatch, main, "gkd-predict", folder, "--features", new)
    return done.stdout, done.stderr


def test_names_survive_from_the_table_to_the_exported_folder(folder: Path) -> None:
    assert load_npz(folder.parent / "mine.npz", "mine").feature_names == FEATURES
    student = ExportedStudent(folder)
    assert student.graph.feature_names == FEATURES
    assert student.facts.feature_names == FEATURES
    assert student.graph.subgraph(np.arange(50)).feature_names == FEATURES


def test_the_order_of_columns_does_not_change_the_answer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, x = tmp_path / "new.csv", [0.25, 3.0, -1.5]
    new.write_text("id,age,visits,score\nn,0.25,3,-1.5\n")
    straight = answer(folder, new, monkeypatch)
    new.write_text("score,id,age,visits\n-1.5,n,0.25,3\n")
    assert answer(folder, new, monkeypatch) == straight
    np.savez(
        tmp_path / "new.npz", attr_matrix=[x[::-1]], feature_names=FEATURES[::-1], node_ids=["n"]
    )
    assert answer(folder, tmp_path / "new.npz", monkeypatch) == straight

    (line,) = straight[0].splitlines()[1:]
    expected = ExportedStudent(folder).predict_new(np.array([x], dtype=np.float32))
    found = [float(cell) for cell in line.split(",")[3:]]
    assert found == pytest.approx(expected.probabilities[0].tolist(), abs=1e-5)
    mixed = ExportedStudent(folder).predict_new(np.array([x[::-1]], dtype=np.float32))
    assert np.abs(mixed.probabilities - expected.probabilities).max() > 1e-3


@pytest.mark.parametrize("name", IDS)
def test_ids_have_the_column_names_that_gkd_import_knows(tmp_path: Path, name: str) -> None:
    new, pairs = tmp_path / "new.csv", tmp_path / "pairs.csv"
    new.write_text(f"b,{name.upper()},a\n2,n,1\n")
    found = read_features(new, Width(2, ("a", "b")))
    assert (found.ids.tolist(), found.features.tolist()) == (["n"], [[1, 2]])
    new.write_text(f"paper,{name},a\nn,2,1\n")  # a feature of this name is no id
    found = read_features(new, Width(2, ("a", name)))
    assert (found.ids.tolist(), found.features.tolist()) == (["n"], [[1, 2]])
    for header in (name, *(first for first, _ in ENDS)):
        pairs.write_text(f"{header},other\nn,7\n")
        assert read_pairs(pairs) == [("n", "7")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,age,visits,height\nn,1,2,3\n", "column height is not a feature and the feature score"),
        ("id,age,score\nn,1,2\n", "the feature visits has no column"),
        ("id,age,visits,score,class\nn,1,2,3,a\n", "column class is not a feature; give the 3"),
        ("id,age,visits,score,age\nn,1,2,3,1\n", "column age stands there twice"),
        ("age,visits,score\n1,2,3\n", "the first column, age, is a feature; put the ids"),
        ("id,age,visits,score\nn,1,,3\n", "line 2, column visits: the cell is empty"),
        ("id,age,visits,score\nn,1,2,x\n", "'x' is no number, so that column score is not a"),
    ],
)
def test_other_columns_are_refused_by_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "new.csv").write_text(text)
    out, err = answer(folder, tmp_path / "new.csv", monkeypatch)
    assert message in err
    assert (out, err.strip().count("\n")) == ("", 0)


def test_runs_on_graphs_that_differ_in_names_alone_keep_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ends = np.stack([np.arange(240), (np.arange(240) + 2) % 240], axis=1)
    arrays = {"edges": ends, "x": rng.random((240, 2)), "y": np.arange(240) % 2}
    for names in (("a", "b"), ("b", "a")):
        path = tmp_path / f"{names[0]}.npz"
        save_npz(load_graph({**arrays, "feature_names": np.array(names)}), path)
        own = ("dataset=custom", f"dataset.path={path}", "method=mlp", "seeds=[0]", "rerun=true")
        run = train(config(*own, "training.max_epochs=2", f"output_dir={tmp_path / 'out'}")).path
        assert load_npz(run / "graph.npz", "g").feature_names == names
