"""Every sweep ends by saying whether to distil, with numbers paired over splits and seeds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gkd_runner.data.graph import Split
from gkd_runner.data.npz import save_npz
from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.reporting.tables import make_tables
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import load_runs
from gkd_runner.results.verdict import DISTIL, DO_NOT, NOT_JUDGED, Verdict, verdicts_of
from tests.support import SIZES, Done, small_graph


def verdict_in(output: str) -> str:
    """The verdict that a command printed, on one line."""
    start = output.index("verdict ") + len("verdict ")
    return " ".join(output[start:].split())


def verdict_on(folder: Path) -> Verdict:
    (verdict,) = verdicts_of(load_runs([folder / "outputs"]))
    return verdict


@pytest.mark.slow
def test_without_homophily_the_verdict_is_not_to_distil(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    size = ("protocol.train_per_class=20", "protocol.val_size=200", "protocol.test_size=1000")
    models = ("teacher.hidden_dim=32", "student.hidden_dim=32", "training.max_epochs=150")
    options = ("preset=none", "tracker=none", "seeds=[0,1,2,3,4]", *size, *models)
    done = gkd_train(
        tmp_path, "-m", "dataset=synthetic", "dataset.homophily=0.0",
        "method=mlp,glnn,infgrand", *options,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    verdict = verdict_on(tmp_path)
    assert verdict.decision == DO_NOT
    assert verdict.over_baseline is not None
    assert verdict.over_baseline.high < 0
    assert verdict_in(done.stdout).startswith("synthetic (gcn, transductive): do not distil")
    assert "warning the plain MLP wins" in done.stdout
    # As it misled before: against its own teacher the same student looks good.
    assert verdict.over_teacher is not None
    assert verdict.over_teacher.mean > 0
    rows = re.findall(r"method=(\S+) .* ([+-]\d+\.\d\d) +([+-]\d+\.\d\d)", done.stdout)
    assert {method: float(gap) < 0 for method, _, gap in rows} == {"glnn": True, "infgrand": True}


@pytest.mark.slow
def test_on_cora_the_verdict_names_a_method_and_how_sure_it_is(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    models = ("teacher.hidden_dim=64", "student.hidden_dim=64", "training.max_epochs=100")
    done = gkd_train(
        tmp_path, "-m", "dataset=cora", "preset=common", "tracker=none", "seeds=[0,1,2]",
        "method=mlp,glnn,hgmd-weight", *models,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    verdict, told = verdict_on(tmp_path), verdict_in(done.stdout)
    assert verdict.best is not None
    assert verdict.decision == DISTIL
    assert told.startswith(f"cora (gcn, transductive): distil. {verdict.best.method} answers 8")
    assert re.search(
        r"of 1000 test nodes, \+\d\d\.\d\d \[\+\d+\.\d\d, \+\d+\.\d\d\] against the", told
    )
    assert re.search(r"best of 2 methods, (not )?significantly better than (glnn|hgmd)", told)


def graph_with_splits(folder: Path, splits: int) -> Path:
    """300 nodes with several splits: 120 for training, 60 for validation, 100 for test."""
    rng, drawn = np.random.default_rng(0), []
    for _ in range(splits):
        order = rng.permutation(300)
        drawn.append(Split(*(np.sort(ids) for ids in np.split(order[:280], [120, 180]))))
    return save_npz(replace(small_graph(), splits=tuple(drawn)), folder / "mine.npz")


def test_a_graph_with_several_splits_is_compared_over_splits_and_seeds(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    graph_with_splits(tmp_path, 3)
    done = gkd_train(
        tmp_path, "-m", "dataset=custom", "dataset.path=mine.npz", *SIZES, "seeds=[0,1]",
        "method=mlp,glnn",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    rows = re.findall(r"method=(\S+) +(\d+) +(\d+) ", done.stdout)
    assert rows == [("mlp", "6", "100"), ("glnn", "6", "100")]
    assert "3 pairs, one per split" in verdict_in(done.stdout)

    runs = load_runs([tmp_path / "outputs"])
    keyed = runs.set_index(["method", "split", "seed"])["student_test"]
    expected = (keyed["glnn"] - keyed["mlp"]).groupby("split").mean()
    gap = verdict_on(tmp_path).over_baseline
    assert gap is not None
    assert (gap.n, gap.mean) == (3, pytest.approx(expected.mean()))
    assert gap.std == pytest.approx(expected.std(ddof=0))

    (tables,) = make_tables(compare(runs), read_all_failures([])).values()
    titled = {table.title: table for table in tables}
    accuracy, differences = titled["Accuracy"], titled["Differences"]
    (heading, *_) = accuracy.cells.index.get_level_values("block")
    assert heading == "transductive; gcn teacher; 6 splits x seeds"
    text = differences.cells["text"].xs("glnn - mlp", level="label").iloc[0, 0]
    assert text == f"{100 * gap.mean:+.2f}±{100 * gap.std:.2f}{'*' * (gap.p < 0.05)} ({gap.won}/3)"


def test_an_inductive_sweep_shows_the_hidden_nodes_as_its_verdict_does(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    done = gkd_train(
        tmp_path, "-m", "dataset=synthetic", "dataset.nodes=300", *SIZES, "seeds=[0,1,2]",
        "setting=inductive", "method=mlp,glnn",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    runs = load_runs([tmp_path / "outputs"]).set_index("method").loc["glnn"]
    (nodes,) = set(runs["hidden_nodes"])
    shown = 100 * runs["student_test_hidden"]
    text = f"{shown.mean():.2f}±{shown.std(ddof=0):.2f}"
    assert re.search(rf"method=glnn +3 +{nodes} +\S+ +{text} ", done.stdout)
    assert "accuracy in % of the hidden nodes" in done.stdout
    gap = verdict_on(tmp_path).over_baseline
    assert gap is not None
    assert re.search(rf"method=glnn .* {re.escape(f'{100 * gap.mean:+.2f}')} *\n", done.stdout)


def test_a_sweep_without_the_mlp_takes_the_one_that_had_finished(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    sweep = ("-m", "dataset=synthetic", "dataset.nodes=300", *SIZES, "seeds=[0,1]")
    alone = gkd_train(tmp_path, *sweep, "method=glnn,infgrand")
    gkd_train(tmp_path, *sweep, "method=mlp")
    beside = gkd_train(tmp_path, *sweep, "method=glnn,infgrand")

    assert NOT_JUDGED in verdict_in(alone.stdout)
    assert re.search(r"settle   gkd-train -m dataset=synthetic .* method=mlp\n", alone.stdout)
    assert not re.search(r"method=glnn .*[+-]\d+\.\d\d +[+-]\d+\.\d\d", alone.stdout)
    assert re.search(r"method=glnn .*[+-]\d+\.\d\d +[+-]\d+\.\d\d", beside.stdout)
    assert "against the plain MLP" in verdict_in(beside.stdout)
    assert "settle" not in beside.stdout
