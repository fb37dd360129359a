"""gkd-predict: files in, files out, mistakes named in one line, and no torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from exporting.folders import exported
from support import Done, called, config, dense, small_graph

from gkd_runner.cli.predict import main
from gkd_runner.data.npz import save_npz
from gkd_runner.predict.columns import Width
from gkd_runner.predict.exported import ExportedStudent
from gkd_runner.predict.ids import NodeIndex
from gkd_runner.predict.requests import neighbour_lists, read_features, read_ids, read_pairs
from gkd_runner.runs.train import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported InfGraND student on a graph with text ids; never changed."""
    place = tmp_path_factory.mktemp("predict")
    ids = np.array([f"p{node}" for node in range(300)])
    graph = replace(small_graph(), node_ids=ids, class_names=("a", "b", "c", "d"))
    save_npz(graph, place / "mine.npz")
    own = ("dataset=custom", f"dataset.path={place / 'mine.npz'}", "method=infgrand", "seeds=[0]")
    run = train(config(*own, "training.max_epochs=5", f"output_dir={place}")).path
    return exported(run, place / "student").folder


def predict(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Done:
    return called(monkeypatch, main, "gkd-predict", *arguments)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture
def ids_csv(tmp_path: Path) -> Path:
    (tmp_path / "ids.csv").write_text("id\np7\np123\n")
    return tmp_path / "ids.csv"


def test_known_nodes_are_printed_as_csv(
    folder: Path, ids_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = predict(monkeypatch, folder, "--nodes", ids_csv)

    assert done.returncode == 0, done.stderr
    answers = ExportedStudent(folder).predict_known(["p7", "p123"])
    for row, node, name, probabilities in zip(
        rows(done.stdout), answers.ids, answers.classes, answers.probabilities, strict=True
    ):
        assert (row["id"], row["class"]) == (node, name)
        assert float(row["confidence"]) == pytest.approx(probabilities.max(), abs=1e-5)
        found = [float(row[f"p_{name}"]) for name in "abcd"]
        assert found == pytest.approx(probabilities.tolist(), abs=1e-5)


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_all_nodes_are_written_to_a_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    out = tmp_path / f"answers.{suffix}"
    done = predict(monkeypatch, folder, "--all", "--out", out)

    assert done.stdout == f"wrote    {out} (300 rows)\n"
    answers = ExportedStudent(folder).predict_all()
    if suffix == "csv":
        found = [(row["id"], row["class"]) for row in rows(out.read_text())]
    elif suffix == "json":
        listed = json.loads(out.read_text())
        found = [(entry["id"], entry["class"]) for entry in listed]
        assert listed[5]["probabilities"]["b"] == pytest.approx(answers.probabilities[5, 1].item())
    else:
        table = pytest.importorskip("pyarrow.parquet").read_table(out)
        found = list(zip(table["id"].to_pylist(), table["class"].to_pylist(), strict=True))
        np.testing.assert_array_equal(table["p_c"].to_numpy(), answers.probabilities[:, 2])
    assert found == list(zip(answers.ids.tolist(), answers.classes.tolist(), strict=True))


@pytest.mark.parametrize("kind", ["csv", "dense", "sparse"])
@pytest.mark.parametrize("cheap", [False, True])
def test_new_nodes_are_answered_from_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, cheap: bool
) -> None:
    x = dense(small_graph().features)[:2].astype(np.float32)
    new = tmp_path / ("new.csv" if kind == "csv" else "new.npz")
    if kind == "csv":
        header = ",".join(["node", *(f"f{number}" for number in range(80))])
        lines = [f"n{i}," + ",".join(map(str, row.tolist())) for i, row in enumerate(x)]
        new.write_text("\n".join([header, *lines]))
    elif kind == "dense":
        np.savez(new, attr_matrix=x, node_ids=np.array(["n0", "n1"]))
    else:
        matrix, names = sp.csr_array(x), np.array(["n0", "n1"])
        np.savez(
            new, attr_data=matrix.data, attr_indices=matrix.indices, attr_indptr=matrix.indptr,
            attr_shape=matrix.shape, node_ids=names,
        )  # fmt: skip
    (tmp_path / "pairs.csv").write_text("source,target\np5,n0\nn0,p9\nn1,n0\n")

    flags = ["--cheap"] if cheap else []
    pairs = tmp_path / "pairs.csv"
    done = predict(monkeypatch, folder, "--features", new, "--neighbours", pairs, *flags)

    assert done.returncode == 0, done.stderr
    neighbours = [["p5", "p9"], ["n0"]]
    answers = ExportedStudent(folder).predict_new(
        x, neighbours, ids=np.array(["n0", "n1"]), exact=not cheap
    )
    for row, probabilities in zip(rows(done.stdout), answers.probabilities, strict=True):
        found = [float(row[f"p_{name}"]) for name in "abcd"]
        assert found == pytest.approx(probabilities.tolist(), abs=1e-5)


def test_new_nodes_without_neighbours_are_answered(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "new.npz", attr_matrix=np.ones((1, 80), dtype=np.float32))
    done = predict(monkeypatch, folder, "--features", tmp_path / "new.npz")
    assert rows(done.stdout)[0]["id"] == "new-0"


def test_a_column_of_labels_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "new.csv").write_text("x1,label,ID,x2\n0.5,spam,u1,2\n1,ham,u2,3\n")
    new = read_features(tmp_path / "new.csv", Width(2))
    assert new.ids.tolist() == ["u1", "u2"]
    assert new.features.tolist() == [[0.5, 2], [1, 3]]
    assert "the column label is not read" in caplog.text


def test_files_without_headers_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("p1\n\np2\n")
    (tmp_path / "pairs.csv").write_text("a,b\nb,c\n")
    index = NodeIndex(np.array(["p0", "p1", "p2"]), "g")
    assert read_ids(tmp_path / "ids.csv", index) == ["p1", "p2"]
    assert read_pairs(tmp_path / "pairs.csv") == [("a", "b"), ("b", "c")]
    lists = neighbour_lists(np.array(["a", "c"]), [("a", "b"), ("b", "c")], None)
    assert lists == [["b"], ["b"]]


@pytest.mark.parametrize(
    ("files", "arguments", "message"),
    [
        ({"ids.csv": "p7\np1234\n"}, ["--nodes", "ids.csv"], "node 'p1234' is not in the graph"),
        ({}, ["--nodes", "ids.csv"], "ids.csv: no such file"),
        ({"ids.csv": ""}, ["--nodes", "ids.csv"], "ids.csv: the file is empty"),
        (
            {"new.csv": "id,a\nx,1\n"},
            ["--features", "new.csv"],
            "1 features per node; the training graph has 80",
        ),
        (
            {"new.csv": "id,a\nx,one\n"},
            ["--features", "new.csv"],
            "line 2, column a: 'one' is no number",
        ),
        (
            {"new.csv": "id,a\nx,\n"},
            ["--features", "new.csv"],
            "line 2, column a: the cell is empty",
        ),
        (
            {"new.csv": "node_id,feature_id,value\nn,3,1\n"},
            ["--features", "new.csv"],
            "one line per node and 80 columns of features, or an .npz file",
        ),
        ({"new.csv": "id,a\nx\n"}, ["--features", "new.csv"], "line 2 has 1 columns, the header"),
        ({"new.npz": "text"}, ["--features", "new.npz"], "not a readable .npz file"),
        ({}, ["--all", "--out", "answers.xlsx"], "ends in .csv, .json or .parquet"),
        ({}, ["--all", "--out", "no/answers.csv"], "there is no folder no"),
        ({}, [], "one of the arguments --nodes --features --all is required"),
        ({}, ["--all", "--cheap"], "--cheap goes with --neighbours"),
        ({}, ["--all", "--neighbours", "pairs.csv"], "--neighbours goes with --features"),
    ],
)
def test_mistakes_are_named_in_one_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = predict(monkeypatch, folder, *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pair_without_a_new_node_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "new.npz", attr_matrix=np.ones((1, 80)), node_ids=np.array(["n"]))
    (tmp_path / "pairs.csv").write_text("p1,p2\n")
    given = ("--features", tmp_path / "new.npz", "--neighbours", tmp_path / "pairs.csv")
    done = predict(monkeypatch, folder, *given)
    assert "the pair p1,p2 has no new node" in done.stderr


def test_new_nodes_with_one_id_are_refused_before_their_neighbours_are_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "new.npz", attr_matrix=np.ones((2, 80)), node_ids=np.array(["n", "n"]))
    (tmp_path / "pairs.csv").write_text("n,p2\n")
    given = ("--features", tmp_path / "new.npz", "--neighbours", tmp_path / "pairs.csv")
    done = predict(monkeypatch, folder, *given)
    assert "the ids of new nodes are not unique: 'n' stands there twice" in done.stderr


@pytest.mark.parametrize("header", ["user", "Paper no"])
def test_the_first_line_is_a_header_if_it_alone_is_no_known_id(
    folder: Path, ids_csv: Path, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    ids_csv.write_text(f"{header}\np7\np123\n")
    done = predict(monkeypatch, folder, "--nodes", ids_csv)
    assert [row["id"] for row in rows(done.stdout)] == ["p7", "p123"]

    ids_csv.write_text("id\np7\n")
    named = NodeIndex(np.array(["id", "p7"]), "g")
    assert read_ids(ids_csv, named) == ["id", "p7"]
    ids_csv.write_text("number\n7\n")
    assert read_ids(ids_csv, NodeIndex(np.array([7, 8]), "g")) == ["7"]


BLOCKED = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
sys.argv[1:] = {arguments!r}
from gkd_runner.cli.predict import main
main()
"""

HEAVY = [
    "torch", "dgl", "pandas", "hydra", "omegaconf", "jaxtyping", "jinja2", "rich", "filelock",
    "pooch", "requests", "wandb", "onnx", "pyarrow", "networkx", "beartype",
]  # fmt: skip


def without(blocked: list[str], *arguments: str) -> Done:
    code = BLOCKED.format(blocked=blocked, arguments=list(arguments))
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_answers_need_numpy_scipy_onnxruntime_and_safetensors_alone(
    folder: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "new.npz", attr_matrix=np.ones((1, 80)), node_ids=np.array(["n"]))
    (tmp_path / "pairs.csv").write_text("n,p2\n")
    given = ("--features", f"{tmp_path / 'new.npz'}", "--neighbours", f"{tmp_path / 'pairs.csv'}")
    for request in (("--all",), given, (*given, "--cheap")):
        done = without(HEAVY, str(folder), *request)
        assert done.returncode == 0, done.stderr
        assert rows(done.stdout)


@pytest.mark.slow
def test_a_missing_extra_is_named(folder: Path, ids_csv: Path) -> None:
    (ids_csv.parent / "new.npz").unlink(missing_ok=True)
    np.savez(ids_csv.parent / "new.npz", attr_matrix=np.ones((9, 80)))
    new = str(ids_csv.parent / "new.npz")
    done = without(["onnxruntime"], str(folder), "--features", new)
    assert done.returncode == 1
    assert (
        'an answer needs onnxruntime, which is not installed: pip install "gkd-runner[predict]"'
        in (done.stderr)
    )
    out = str(ids_csv.parent / "answers.parquet")
    done = without(["pyarrow"], str(folder), "--all", "--out", out)
    assert "Parquet needs pyarrow (pip install pyarrow); or write .csv" in done.stderr
