"""A verdict at the end of a run takes the finished plain MLP that the run can be compared with."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from gkd_runner.results.beside import against_baseline, verdict_on, with_baseline
from gkd_runner.results.frame import load_runs
from gkd_runner.results.scores import RunResult
from gkd_runner.results.verdict import NO_BASELINE, NO_PAIR, NO_STUDENT
from gkd_runner.runs.display import report
from gkd_runner.runs.train import train
from tests.support import config

SIZE = ("dataset.nodes=300", "dataset.features=64", "training.max_epochs=12", "preset=common")


def ran(folder: Path, *overrides: str) -> RunResult:
    return train(config(*SIZE, "seeds=[0,1]", f"output_dir={folder}", *overrides))


def printed(result: RunResult) -> str:
    text = io.StringIO()
    Console(file=text, width=1000).print(report(result))
    return text.getvalue()


def test_a_run_ends_with_a_verdict_against_the_mlp_that_had_finished(tmp_path: Path) -> None:
    plain, ours = ran(tmp_path, "method=mlp"), ran(tmp_path, "method=glnn")

    (verdict,) = verdict_on(ours)

    gap = verdict.over_baseline
    assert gap is not None
    pairs = zip(ours.seeds, plain.seeds, strict=True)
    values = [a.student.scores.test - b.student.scores.test for a, b in pairs]
    assert (gap.n, gap.mean) == (2, pytest.approx(sum(values) / 2))
    assert "verdict synthetic (gcn, transductive): " in printed(ours)
    assert " nodes" in printed(ours)
    assert "against the plain MLP" in printed(ours)


def test_a_run_without_the_mlp_says_which_command_settles_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["gkd-train", "dataset=synthetic", "method=glnn"])
    ours = ran(tmp_path, "method=glnn")

    (verdict,) = verdict_on(ours)

    assert verdict.reason == NO_BASELINE
    assert "settle   gkd-train dataset=synthetic method=mlp\n" in printed(ours)


def test_an_mlp_alone_has_no_student_to_judge(tmp_path: Path) -> None:
    (verdict,) = verdict_on(ran(tmp_path, "method=mlp"))
    assert verdict.reason == NO_STUDENT


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        ((), True),
        (("method.tau=2",), True),  # the method's own options do not matter
        (("student.hidden_dim=32",), False),
        (("teacher.hidden_dim=8",), False),  # under preset=common all share a teacher
        (("dataset.seed=5",), False),
        (("seeds=[7]",), False),
        (("setting=inductive",), False),
    ],
)
def test_only_an_mlp_under_the_same_options_counts(
    tmp_path: Path, other: tuple[str, ...], counts: bool
) -> None:
    ran(tmp_path, "method=mlp", *other)
    ran(tmp_path, "method=glnn")
    runs = load_runs([tmp_path])
    ours = runs[runs["method"] == "glnn"]

    beside = with_baseline(ours)

    assert list(beside["method"]) == ["glnn", "glnn", *(["mlp", "mlp"] if counts else [])]
    assert (against_baseline(ours, beside) is not None) == counts


def test_a_run_that_has_its_own_mlp_beside_it_reads_no_other(tmp_path: Path) -> None:
    for method in ("mlp", "glnn"):
        ran(tmp_path, f"method={method}")
    runs = load_runs([tmp_path])

    pd.testing.assert_frame_equal(with_baseline(runs), runs)
    assert against_baseline(runs[runs["method"] == "mlp"], runs) is None


def test_inductive_differences_are_over_the_hidden_nodes(tmp_path: Path) -> None:
    plain, ours = (
        ran(tmp_path, f"method={method}", "setting=inductive") for method in ("mlp", "glnn")
    )
    runs = load_runs([tmp_path])

    gap = against_baseline(runs[runs["method"] == "glnn"], runs)

    pairs = zip(ours.seeds, plain.seeds, strict=True)
    values = [a.student.scores.test_hidden - b.student.scores.test_hidden for a, b in pairs]
    assert gap is not None
    assert gap.mean == pytest.approx(sum(values) / 2)


def test_a_run_of_few_epochs_says_that_it_works_and_judges_nothing(tmp_path: Path) -> None:
    told = printed(ran(tmp_path, "method=glnn", "training.max_epochs=3"))

    assert "everything works; after 3 epochs at most, the accuracies mean nothing" in told
    assert not any(word in told for word in ("verdict", "warning", "settle"))


def test_only_the_replicas_of_the_run_count(tmp_path: Path) -> None:
    ran(tmp_path, "method=mlp", "seeds=[1,2]")
    (verdict,) = verdict_on(ran(tmp_path, "method=glnn", "seeds=[0,1]"))

    assert verdict.reason != NO_PAIR
    assert verdict.over_baseline is not None
    assert verdict.over_baseline.n == 1
    assert verdict.baseline is not None
    assert verdict.baseline.n == 1
