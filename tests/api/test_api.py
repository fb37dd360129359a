"""The Python interface: compose, train, and what a result offers."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

import gkd_runner
from gkd_runner import Result, compose, load_graph, load_student, train
from gkd_runner.common.errors import ConfigError, RunError
from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.npz import save_npz
from gkd_runner.predict.folder import PredictError
from gkd_runner.results.frame import COLUMNS, load_runs
from tests.support import SIZES, small_graph

BRIEF = (*(size for size in SIZES if size != "training.max_epochs=25"), "training.max_epochs=12")


@pytest.fixture(scope="module")
def graph() -> GraphData:
    """Two splits of its own; nodes and classes have names."""
    plain = small_graph()
    ids = np.random.default_rng(0).permutation(plain.num_nodes)
    halves = (ids[:100], ids[50:150])
    splits = tuple(Split(h[:40], h[40:60], h[60:]) for h in halves)
    names = np.array([f"node {number}" for number in range(plain.num_nodes)])
    return replace(plain, name="mine", splits=splits, node_ids=names, class_names=tuple("abcd"))


@pytest.fixture(scope="module")
def result(graph: GraphData, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("outputs")
    overrides = ["dataset=custom", "method=infgrand", "seeds=3-4", f"output_dir={folder}", *BRIEF]
    return train(compose(overrides), graph=graph)


def test_a_graph_in_memory_is_trained_on_every_split_and_seed(result: Result) -> None:
    frame = result.to_dataframe()

    assert list(frame.columns) == [*COLUMNS, "folder"]
    assert set(zip(frame["split"], frame["seed"], strict=True)) == {(0, 3), (0, 4), (1, 3), (1, 4)}
    assert set(frame["dataset"]) == {"mine"}
    assert len(result.paths) == 2
    stored = load_runs([result.paths[0].parents[5]])
    pd.testing.assert_frame_equal(frame, stored)


def test_means_are_those_of_the_table(result: Result) -> None:
    frame, means = result.to_dataframe(), result.means

    for stage in ("teacher", "student"):
        values = frame[f"{stage}_test"].to_numpy()
        assert means.loc[stage, ("test", "mean")] == pytest.approx(values.mean())
        assert means.loc[stage, ("test", "std")] == pytest.approx(values.std())
    assert means["test_hidden"].isna().all(axis=None)
    percent = (
        f"{100 * frame['student_test'].mean():.2f}±{100 * frame['student_test'].std(ddof=0):.2f}"
    )
    assert percent in str(result)
    assert f"{100 * frame['student_test'].mean():.2f}" in result._repr_html_()


def test_means_of_another_metric_are_those_of_its_columns(result: Result) -> None:
    frame, means = result.to_dataframe(), result.means_of("macro_f1")

    values = frame["student_test_macro_f1"].to_numpy()
    assert means.loc["student", ("test", "mean")] == pytest.approx(values.mean())
    assert result.means_of("roc_auc").isna().all(axis=None)  # three classes
    with pytest.raises(ValueError, match="metric 'f1' is not one of accuracy, macro_f1, roc_auc"):
        result.means_of("f1")


def test_a_student_answers_by_original_ids_as_the_run_recorded(
    result: Result, graph: GraphData
) -> None:
    frame = result.to_dataframe().set_index(["seed", "split"])

    for seed, split in ((3, 0), (4, 1)):
        test = graph.splits[split].test
        answers = result.student(seed, split).predict_known(graph.ids[test])
        right = answers.classes == np.array(graph.class_names)[graph.labels[test]]
        assert right.mean() == frame.loc[(seed, split), "student_test"]
        assert answers.probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    with pytest.raises(RunError, match="no student of seed 9; there are seed 3 split 0"):
        result.student(9)


def test_load_student_says_what_it_needs(result: Result, tmp_path: Path) -> None:
    assert len(load_student(str(result.paths[0]), 3).predict_all()) == 300
    with pytest.raises(PredictError, match="is not an exported student"):
        load_student(tmp_path)


def test_the_figure_has_a_dot_per_replica_and_the_means(result: Result) -> None:
    panel = result.plot().axes[0]

    heights = [
        sorted(dots.get_offsets()[:, 1])
        for dots in panel.collections
        if len(dots.get_offsets()) == 4
    ]
    frame = result.to_dataframe()
    for stage, found in zip(("teacher", "student"), heights, strict=True):
        np.testing.assert_allclose(found, sorted(100 * frame[f"{stage}_test"]))
    assert [text.get_text() for text in panel.texts][:2] == [
        f"{100 * frame[f'{stage}_test'].mean():.2f}" for stage in ("teacher", "student")
    ]


def test_a_second_call_reads_what_the_first_has_finished(result: Result, graph: GraphData) -> None:
    folder = result.paths[0].parents[5]
    overrides = ["dataset=custom", "method=infgrand", "seeds=3-4", f"output_dir={folder}", *BRIEF]
    again = train(compose(overrides), graph=graph)

    assert again.job.reused == 4
    pd.testing.assert_frame_equal(again.to_dataframe(), result.to_dataframe())


def test_compose_reports_mistakes_as_the_command_line_does() -> None:
    with pytest.raises(ConfigError) as caught:
        compose(["method=glmn", "+method.typo=3", "epochs=9"])
    assert len(caught.value.mistakes) == 3
    assert "did you mean 'glnn'?" in str(caught.value)


def test_a_text_of_overrides_is_split_as_a_shell_would() -> None:
    assert compose("method=glnn seeds=0-2").seeds == [0, 1, 2]


def test_a_graph_of_ones_own_must_be_given(graph: GraphData, tmp_path: Path) -> None:
    options = ["dataset=custom", f"data_dir={tmp_path}", f"output_dir={tmp_path}", "method=mlp"]
    with pytest.raises(
        ConfigError, match=r"custom has no graph file; .*; or give the graph: train"
    ):
        train(compose(options))
    save_npz(graph, tmp_path / "saved.npz")
    result = train(
        compose([*options, "seeds=[0]", "splits=[0]", *BRIEF]), graph=tmp_path / "saved.npz"
    )
    assert set(result.to_dataframe()["dataset"]) == {"saved"}


def test_a_graph_goes_with_dataset_custom_alone(graph: GraphData) -> None:
    with pytest.raises(ConfigError, match=r"dataset=cora with a graph in memory: .*dataset=custom"):
        train(compose(["dataset=cora"]), graph=graph)


def test_warnings_of_a_run_are_logged(
    graph: GraphData, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ["method=glnn", "seeds=[0]", "splits=[1]", "student.learning_rate=1e-9", *BRIEF]
    logging.getLogger("gkd_runner").addHandler(caplog.handler)
    train(compose(["dataset=custom", f"output_dir={tmp_path}", *options]), graph=graph)

    assert any("seed 0 split 1: collapsed student" in text for text in caplog.messages)


def test_graphs_of_other_libraries_are_read(graph: GraphData) -> None:
    features: Any = graph.features
    dense = features.toarray() if hasattr(features, "toarray") else features
    read = load_graph(csr_array(graph.adjacency), features=dense, labels=graph.labels, name="other")

    assert (read.name, read.num_edges) == ("other", graph.num_edges)


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "pandas", "hydra")
    code = f"import sys, gkd_runner; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
    assert set(gkd_runner.__all__) <= set(dir(gkd_runner))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        gkd_runner.nothing  # noqa: B018
