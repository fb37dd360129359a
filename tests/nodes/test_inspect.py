"""gkd-inspect: every column against its definition, runs read back exactly, mistakes in a line."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from scipy.special import softmax
from scipy.stats import entropy, rankdata

from gkd_runner.cli.inspect import main
from gkd_runner.common.files import replacing
from gkd_runner.config.build import compose
from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import save_npz
from gkd_runner.data.protocols import make_task
from gkd_runner.methods import METHODS
from gkd_runner.methods.base import Classroom
from gkd_runner.methods.infgrand import InfGraND
from gkd_runner.nodes.inspected import inspect_graph, inspect_run
from gkd_runner.nodes.measures import influence_options, task_influence
from gkd_runner.nodes.predictions import relative_hardness
from gkd_runner.nodes.quarters import accuracy_by_hardness
from gkd_runner.nodes.summary import rank_correlation
from gkd_runner.runs.reload import Logits, ReloadedSeed, reload_run
from gkd_runner.runs.train import train
from tests.support import (
    LIVELY,
    config,
    dense,
    dense_influence,
    dense_symmetric,
    no_answer,
    random_features,
    random_graph,
    small_graph,
    small_run,
)

NODES = 90
SPLIT = ("protocol.train_per_class=8", "protocol.val_size=15", "protocol.test_size=30")
GRAPH_COLUMNS = ["node", "degree", "label", "split", "hidden", "local_homophily", "influence"]
RUN_COLUMNS = [
    "knowledge_hardness",
    "distillation_hardness",
    "teacher_confidence",
    "student_confidence",
    "teacher_prediction",
    "student_prediction",
    "teacher_right",
    "student_right",
]

Rows = list[dict[str, str]]


@pytest.fixture
def inspected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Rows, str]]:
    """Run the command in an empty folder; the CSV's rows and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[Rows, str]:
        monkeypatch.setattr(sys, "argv", ["gkd-inspect", *arguments])
        main()
        with Path("nodes.csv").open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines)), capsys.readouterr().out

    return run


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run the command, which must not work; its message."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["gkd-inspect", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code not in (0, None)
        return str(stopped.value.code)

    return run


def own_graph() -> GraphData:
    """Sparse features, an isolated last node, and labels that are partly unknown."""
    graph = random_graph(NODES, random_features(NODES, 12, density=0.3))
    labels = graph.labels.copy()
    labels[[4, 17, 40]] = -1
    return replace(graph, labels=labels)


def custom(tmp_path: Path, graph: GraphData) -> list[str]:
    save_npz(graph, tmp_path / "mine.npz")
    return ["dataset=custom", f"dataset.path={tmp_path / 'mine.npz'}", *SPLIT]


def numbers(rows: Rows, column: str) -> np.ndarray[Any, Any]:
    """Empty cells as NaN."""
    return np.array([float(row[column] or "nan") for row in rows])


def truths(rows: Rows, column: str) -> np.ndarray[Any, Any]:
    return np.array([{"true": 1.0, "false": 0.0, "": np.nan}[row[column]] for row in rows])


def dense_homophily(graph: GraphData) -> np.ndarray[Any, Any]:
    """Node by node, as it is defined."""
    shares = []
    for label, row in zip(graph.labels, dense(graph.adjacency), strict=True):
        around = [other for other in graph.labels[row > 0] if other >= 0]
        undefined = label < 0 or not around
        shares.append(np.nan if undefined else np.mean([other == label for other in around]))
    return np.array(shares)


def test_a_graph_of_ones_own_has_a_row_per_node_as_numpy_counts_it(
    tmp_path: Path, inspected: Callable[..., tuple[Rows, str]]
) -> None:
    graph = own_graph()
    arguments = custom(tmp_path, graph)

    rows, _ = inspected(*arguments, "--seed", "5")

    split = make_task(graph, compose(arguments), 5).split
    parts = {int(i): name for name in ("train", "val", "test") for i in getattr(split, name)}
    assert list(rows[0]) == GRAPH_COLUMNS
    assert [row["node"] for row in rows] == [str(i) for i in range(NODES)]
    np.testing.assert_array_equal(numbers(rows, "degree"), dense(graph.adjacency).sum(1))
    assert [row["label"] for row in rows] == ["" if y < 0 else str(y) for y in graph.labels]
    assert [row["split"] for row in rows] == [parts.get(i, "none") for i in range(NODES)]
    np.testing.assert_allclose(numbers(rows, "local_homophily"), dense_homophily(graph), rtol=1e-5)
    assert rows[4]["local_homophily"] == rows[-1]["local_homophily"] == ""  # unknown, isolated
    assert {row["hidden"] for row in rows} == {""}
    assert {path.name for path in tmp_path.iterdir()} == {"mine.npz", "nodes.csv"}


def test_nodes_and_classes_have_the_names_of_their_file(
    tmp_path: Path, inspected: Callable[..., tuple[Rows, str]]
) -> None:
    plain = own_graph()
    ids = np.array([f"paper {i}" for i in range(NODES)])
    names = tuple(f"topic {i}" for i in range(plain.num_classes))
    arguments = custom(tmp_path, replace(plain, node_ids=ids, class_names=names))

    rows, _ = inspected(*arguments)

    assert [row["node"] for row in rows] == list(ids)
    assert [row["label"] for row in rows] == ["" if y < 0 else names[y] for y in plain.labels]


@pytest.mark.parametrize("method", ["infgrand", "glnn"])
@pytest.mark.parametrize("self_loops", [2.0, 1.0])
def test_influence_is_its_dense_definition(
    tmp_path: Path,
    inspected: Callable[..., tuple[Rows, str]],
    method: str,
    self_loops: float,
) -> None:
    graph = own_graph()
    own = [f"method.self_loops={self_loops}"] if method == "infgrand" else []
    loops = self_loops if own else 2.0  # what method=infgrand would have

    rows, _ = inspected(*custom(tmp_path, graph), f"method={method}", *own)

    expected = dense_influence(graph.features, dense_symmetric(graph.adjacency, loops))
    np.testing.assert_allclose(numbers(rows, "influence"), expected, atol=5e-6)


@pytest.mark.parametrize("protocol", ["infgrand", "glnn"])
@pytest.mark.parametrize("influence_graph", ["observed", "published"])
def test_inductive_influence_is_either_variant_written_out_densely(
    tmp_path: Path,
    inspected: Callable[..., tuple[Rows, str]],
    influence_graph: str,
    protocol: str,
) -> None:
    graph = own_graph()
    sizes = [*SPLIT] if protocol == "infgrand" else ["protocol.train_per_class=8"]
    arguments = [
        *custom(tmp_path, graph)[:2],
        *(sizes if protocol == "infgrand" else [*sizes, "protocol.val_per_class=5"]),
        f"protocol={protocol}",
        "setting=inductive",
        f"method.influence_graph={influence_graph}",
    ]

    rows, _ = inspected(*arguments, "--seed", "1")

    observed = make_task(graph, compose(arguments), 1).observed
    assert 0 < len(observed) < NODES
    if influence_graph == "published":
        operator = dense_symmetric(graph.adjacency, 2.0)
        expected = dense_influence(graph.features, operator, columns=len(observed))
    else:
        operator = dense_symmetric(dense(graph.adjacency)[np.ix_(observed, observed)], 2.0)
        expected = np.full(NODES, np.nan)
        expected[observed] = dense_influence(dense(graph.features)[observed], operator)
    np.testing.assert_allclose(numbers(rows, "influence"), expected, atol=5e-6)


@pytest.mark.parametrize("influence_graph", ["observed", "published"])
def test_influence_is_what_the_method_weighs_labels_by(influence_graph: str) -> None:
    settings = config("setting=inductive", f"method.influence_graph={influence_graph}")
    task = make_task(small_graph(), settings, 0)
    method = InfGraND(replace(settings.method, delta_1=0.0, delta_2=1.0))  # type: ignore[type-var]
    observed = len(task.observed)
    method.prepare(Classroom([task], torch.zeros(1, observed, 4), 10, no_answer))
    weighs = method.label_weights(torch.arange(observed).unsqueeze(0))[0].numpy() * observed

    nodes, found = task_influence(task, influence_options(settings))

    assert set(task.observed) <= set(nodes)
    np.testing.assert_allclose(found[np.isin(nodes, task.observed)], weighs, atol=1e-6)


def test_hidden_tells_hidden_nodes_from_observed_ones_and_both_from_unsplit_ones(
    tmp_path: Path, inspected: Callable[..., tuple[Rows, str]]
) -> None:
    arguments = [*custom(tmp_path, own_graph()), "setting=inductive"]

    rows, _ = inspected(*arguments)

    settings = compose(arguments)
    task = make_task(own_graph(), settings, settings.seeds[0])
    expected = np.full(NODES, np.nan)
    expected[task.observed], expected[task.hidden] = 0, 1
    np.testing.assert_array_equal(truths(rows, "hidden"), expected)
    assert {rows[i]["split"] for i in np.flatnonzero(np.isnan(expected))} == {"none"}


def test_node_ids_are_those_of_the_component_that_the_protocol_cuts_to() -> None:
    settings = compose(["dataset=cora", "protocol=glnn", "seeds=[7]"])
    found = inspect_graph(settings)

    assert found.task.seed == 7
    assert len(found.table) == found.task.graph.num_nodes == 2485
    np.testing.assert_array_equal(found.table["label"], found.task.graph.labels)


def test_the_summary_tells_the_graph_in_numbers(
    tmp_path: Path, inspected: Callable[..., tuple[Rows, str]]
) -> None:
    graph = own_graph()
    rows, text = inspected(*custom(tmp_path, graph))

    adjacency, labels = dense(graph.adjacency), graph.labels
    both = np.argwhere(adjacency > 0)
    known = both[(labels[both] >= 0).all(1)]
    degree, influence = numbers(rows, "degree"), numbers(rows, "influence")
    spearman = np.corrcoef(rankdata(degree), rankdata(influence))[0, 1]
    train_mean = influence[[row["split"] == "train" for row in rows]].mean()
    quartiles = ", ".join(f"{q:g}" for q in np.percentile(degree, [25, 50, 75]))
    sizes = ", ".join(str((labels == c).sum()) for c in range(3))
    for line in (
        f"nodes           {NODES}",
        f"edges           {len(both) // 2}",
        f"classes         3, with {sizes} nodes; 3 nodes without a label",
        f"edge homophily  {(labels[known[:, 0]] == labels[known[:, 1]]).mean():.3f}",
        f"isolated nodes  {(adjacency.sum(1) == 0).sum()}",
        f"degree          0 to {degree.max():g}, quartiles {quartiles}",
        f"Spearman correlation with degree {spearman:+.3f}",
        f"{train_mean:.3f}",
        "influence with A + 2I on the observed graph",
        f"wrote    nodes.csv ({NODES} rows)",
    ):
        assert line in text


def test_a_correlation_with_equal_degrees_is_undefined(tmp_path: Path) -> None:
    ring = np.roll(np.eye(NODES, dtype=np.float32), 1, axis=1)
    graph = replace(own_graph(), adjacency=type(own_graph().adjacency)(ring + ring.T))
    found = inspect_graph(compose(custom(tmp_path, graph)))

    assert np.isnan(rank_correlation(found.table))


# --- finished runs ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One finished run per setting; never changed."""
    folder = tmp_path_factory.mktemp("outputs")
    return {
        setting: small_run(folder, f"setting={setting}", "method=glnn")
        for setting in ("transductive", "inductive")
    }


def spread(found: ReloadedSeed, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Values of observed and then hidden nodes at their ids, NaN elsewhere."""
    column = np.full(found.task.graph.num_nodes, np.nan)
    column[np.concatenate([found.task.observed, found.task.hidden])] = values
    return column


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
def test_the_columns_of_a_run_are_those_of_its_logits(
    runs: dict[str, Path], inspected: Callable[..., tuple[Rows, str]], setting: str
) -> None:
    path = runs[setting]
    rows, _ = inspected("--run", str(path), "--seed", "4")
    found = reload_run(path, 4)
    result = json.loads((path / "result.json").read_text())["seeds"][1]
    cache = Path(found.config.cache_dir) / f"{result['teacher_key']}.safetensors"
    stored = load_file(cache)
    taught = np.concatenate([stored["logits.observed"], stored["logits.hidden"]])
    logits = {
        "teacher": taught / result["temperature"],
        "student": np.concatenate([found.student.observed, found.student.hidden]),
    }
    hardnesses = {"teacher": "knowledge_hardness", "student": "distillation_hardness"}
    labels = found.task.graph.labels

    assert list(rows[0]) == GRAPH_COLUMNS + RUN_COLUMNS
    for stage, values in logits.items():
        probabilities = softmax(values.astype(np.float64), axis=1)
        uncertain = entropy(probabilities, axis=1)
        hardness = uncertain / uncertain[: len(found.task.observed)].max()
        predicted = spread(found, values.argmax(1))
        right = np.where(np.isnan(predicted), np.nan, predicted == labels)
        close = {"rtol": 1e-4, "atol": 1e-6}
        np.testing.assert_allclose(
            numbers(rows, hardnesses[stage]), spread(found, hardness), **close
        )
        confident = spread(found, probabilities.max(1))
        np.testing.assert_allclose(numbers(rows, f"{stage}_confidence"), confident, **close)
        np.testing.assert_array_equal(numbers(rows, f"{stage}_prediction"), predicted)
        np.testing.assert_array_equal(truths(rows, f"{stage}_right"), right)
        test = np.array([row["split"] == "test" for row in rows])
        accuracy = result[stage]["scores"]["test"]
        assert truths(rows, f"{stage}_right")[test].mean() == pytest.approx(accuracy)


def test_a_hidden_node_is_measured_by_the_hardest_observed_one() -> None:
    observed = np.array([[3, 0, 0], [1, 0, 0]], dtype=np.float32)
    hidden = np.array([[0, 0, 0], [5, 0, 0]], dtype=np.float32)
    uncertain = entropy(softmax(np.concatenate([observed, hidden]).astype(float), axis=1), axis=1)

    found = relative_hardness(Logits(observed, hidden))

    np.testing.assert_allclose(found, uncertain / uncertain[1], rtol=1e-5)
    assert found[2] > 1


def test_nodes_of_unknown_label_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    labels = small_graph().labels.copy()
    labels[::10] = -1
    save_npz(replace(small_graph(), labels=labels), tmp_path / "mine.npz")
    own = ("dataset=custom", f"dataset.path={tmp_path / 'mine.npz'}", "method=glnn", "seeds=[0]")
    path = train(config(*own, "training.max_epochs=5", f"output_dir={tmp_path}")).path

    table = inspect_run(path).table

    for stage in ("teacher", "student"):
        np.testing.assert_array_equal(table[f"{stage}_right"].isna(), labels == -1)
        assert table[f"{stage}_prediction"].count() == 300


def test_the_first_seed_is_the_default_and_quarters_of_test_nodes_are_told(
    runs: dict[str, Path], inspected: Callable[..., tuple[Rows, str]]
) -> None:
    rows, text = inspected("--run", str(runs["inductive"]))

    test = [row for row in rows if row["split"] == "test"]
    test.sort(key=lambda row: float(row["knowledge_hardness"]))
    assert "gcn teacher, glnn; seed 3" in text
    quarters = accuracy_by_hardness(inspect_run(runs["inductive"]).table)
    for k, quarter in enumerate(quarters.itertuples()):
        part = test[25 * k : 25 * (k + 1)]
        assert quarter.nodes == 25
        assert quarter.up_to == pytest.approx(float(part[-1]["knowledge_hardness"]), rel=1e-5)
        assert quarter.teacher == np.mean([row["teacher_right"] == "true" for row in part])
        assert quarter.student == np.mean([row["student_right"] == "true" for row in part])
        assert f"{100 * quarter.teacher:.2f}" in text
        assert f"{100 * quarter.student:.2f}" in text


def test_a_teacher_that_is_no_longer_cached_is_to_be_trained_again(
    runs: dict[str, Path], tmp_path: Path, refused: Callable[..., str]
) -> None:
    alone = shutil.copytree(runs["inductive"], tmp_path / "run")

    message = refused("--run", str(alone), f"cache_dir={tmp_path / 'empty'}")

    assert "the teacher of seed 3" in message
    assert "by the command of the run with rerun=true: `" in message
    assert message.endswith(" rerun=true`")
    assert "\n" not in message


def test_a_seed_that_the_run_lacks_is_answered_with_those_it_has(
    runs: dict[str, Path], refused: Callable[..., str]
) -> None:
    message = refused("--run", str(runs["transductive"]), "--seed", "9")

    assert message.startswith("gkd-inspect: seed 9 is not in ")
    assert message.endswith("which has 3, 4")


def test_options_beside_a_run_are_refused(
    runs: dict[str, Path], refused: Callable[..., str]
) -> None:
    message = refused("dataset=cora", "--run", str(runs["transductive"]), "method=glnn")

    assert "2 configuration mistakes" in message
    assert "dataset=cora beside --run: the configuration is the run's own" in message
    assert "method=glnn beside --run" in message


def test_the_folder_above_a_run_names_the_newest_in_it(
    runs: dict[str, Path], refused: Callable[..., str]
) -> None:
    path = runs["transductive"]

    assert f"its newest run is {path}" in refused("--run", str(path.parent))
    assert f"give the folder {path}" in refused("--run", str(path / "result.json"))


# --- the command line ---------------------------------------------------------------------------

NEWCOMERS = {
    "dataset=corra": "dataset=corra is not one of .*; did you mean 'cora'",
    "--run .": r"\. is not the folder of a run: it has no config\.yaml; give one like outputs/runs",
    "--run nowhere": "nowhere is not the folder of a run: there is none of this name",
    "--out there/nodes.csv": r"--out there/nodes\.csv: there is no folder there; make it first",
    "--out .": r"--out \. is a folder; give the name of a file",
    "--plot there/x.png": r"--plot there/x\.png: there is no folder there",
    "--plot nodes.jpg": r"--plot nodes\.jpg must end in \.png or \.svg",
    "--seed -1": "--seed -1 is out of range; it must be >= 0",
    "cora": "cora is not of the form option=value",
    "method=mlp,glnn": "method=mlp,glnn gives several values; give one",
    "hydra.run.dir=x": r"hydra\.run\.dir=x sets up Hydra, which runs gkd-train alone",
    "dataset=custom dataset.path=zz.npz": r"zz\.npz: no such file",
}


@pytest.mark.parametrize("line", NEWCOMERS)
def test_a_mistake_is_answered_in_one_line_and_leaves_no_file(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)

    message = refused(*line.split())

    assert message.startswith("gkd-inspect: ")
    assert "\n" not in message
    assert re.search(NEWCOMERS[line], message)
    assert list(tmp_path.iterdir()) == []


def test_all_mistakes_come_at_once(tmp_path: Path, refused: Callable[..., str]) -> None:
    message = refused("dataset=corra", "--out", str(tmp_path / "no/x.csv"), "method.tua=3")

    assert message.startswith("gkd-inspect: 3 configuration mistakes:")
    for part in ("dataset=corra", "there is no folder", "did you mean 'method.tau'"):
        assert part in message


def test_overrides_and_flags_come_in_any_order(inspected: Callable[..., tuple[Rows, str]]) -> None:
    _, text = inspected("dataset=cora", "--seed", "1", "protocol=krd", "setting=inductive")

    assert "cora, krd protocol, inductive; seed 1" in text


@pytest.mark.slow
def test_the_command_works_from_any_folder(tmp_path: Path) -> None:
    """A real process, on the packaged Cora."""
    done = subprocess.run(
        [sys.executable, "-m", "gkd_runner.cli.inspect", "dataset=cora", "--out", "cora.csv"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "nodes           2708" in done.stdout
    assert len((tmp_path / "cora.csv").read_text().splitlines()) == 2709


@pytest.mark.parametrize("method", list(METHODS))
def test_a_run_of_any_method_is_looked_at(
    tmp_path: Path, inspected: Callable[..., tuple[Rows, str]], method: str
) -> None:
    run = small_run(tmp_path / "outputs", f"method={method}", *LIVELY.get(method, ()))

    rows, printed = inspected("--run", str(run))

    assert len(rows) == 300
    assert all(row["influence"] and row["student_right"] for row in rows)
    assert "hardest quarter" in printed


@pytest.mark.slow
def test_a_run_is_looked_at_in_a_process_of_its_own(tmp_path: Path) -> None:
    run = small_run(tmp_path / "outputs", "method=mlp")
    done = subprocess.run(
        [sys.executable, "-m", "gkd_runner.cli.inspect", "--run", str(run)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "hardest quarter" in done.stdout


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise ValueError("full disk")

    with pytest.raises(ValueError, match="full disk"):
        fail()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


# --- the picture --------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_drawn_of_a_graph(
    tmp_path: Path, inspected: Callable[..., tuple[Rows, str]], suffix: str
) -> None:
    pytest.importorskip("matplotlib")
    _, text = inspected(*custom(tmp_path, own_graph()), "--plot", f"x.{suffix}")

    start = (tmp_path / f"x.{suffix}").read_bytes()[:5]
    assert start == (b"\x89PNG\r" if suffix == "png" else b"<?xml")
    assert f"drew     x.{suffix}" in text


def test_a_run_adds_two_panels_with_its_right_and_wrong_nodes(runs: dict[str, Path]) -> None:
    pytest.importorskip("matplotlib")
    from gkd_runner.nodes.plot import figure

    found = inspect_run(runs["inductive"])
    panels = figure(found).axes

    assert [panel.get_xlabel() for panel in panels] == [
        "degree",
        "local homophily",
        "knowledge hardness",
        "distillation hardness",
    ]
    for panel, stage in zip(panels[2:], ("teacher", "student"), strict=True):
        test = found.table["split"] == "test"
        right = int(found.table[f"{stage}_right"][test].sum())
        legend = panel.get_legend()
        assert legend is not None
        assert [entry.get_text() for entry in legend.get_texts()] == [
            f"{stage} right ({right})",
            f"{stage} wrong ({100 - right})",
        ]


def test_without_matplotlib_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Callable[..., str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    message = refused("dataset=cora", "--plot", "x.png")

    assert message == (
        "gkd-inspect: --plot needs matplotlib, which is not installed:"
        ' pip install "gkd-runner[plot]"'
    )
