"""A run whose epochs another metric than accuracy selected is told, judged and exported by it."""

from __future__ import annotations

import io
import json
import re
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType

from gkd_runner.api.result import Result
from gkd_runner.config.build import compose
from gkd_runner.exporting.choice import find_run
from gkd_runner.exporting.export import Options, export_run
from gkd_runner.options.metrics import selecting_metric
from gkd_runner.results.beside import verdict_on
from gkd_runner.results.scores import RunResult
from gkd_runner.results.stored import cell_folder, read_run
from gkd_runner.runs import display
from gkd_runner.runs.display import report, stage_progress
from gkd_runner.runs.train import train
from gkd_runner.sweeps.folder import Planned, begin
from gkd_runner.sweeps.report import closing, one_line
from gkd_runner.training.fit import Epoch
from tests.support import SMALL, config, seal_again

SIZE = ("dataset.nodes=300", "dataset.features=64", "dataset.classes=2", "training.max_epochs=12")
BY_AUC = "training.select_by=roc_auc"


def ran(folder: Path, *overrides: str) -> RunResult:
    return train(config(*SIZE, "seeds=[0,1,2]", f"output_dir={folder}", *overrides))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[RunResult]:
    """The plain MLP and GLNN, selected by ROC AUC, and GLNN selected by accuracy."""
    folder = tmp_path_factory.mktemp("outputs")
    options = (("method=mlp", BY_AUC), ("method=glnn", BY_AUC), ("method=glnn",))
    return [ran(folder, *overrides) for overrides in options]


def printed(*parts: RenderableType) -> str:
    text = io.StringIO()
    Console(file=text, width=1000).print(*parts)
    return text.getvalue()


def values(job: RunResult, metric: str, stage: str = "student", part: str = "test") -> list[float]:
    return [getattr(getattr(seed, stage).of(metric), part) for seed in job.seeds]


def shown(scores: list[float]) -> str:
    return f"{100 * np.mean(scores):.2f}±{100 * np.std(scores):.2f}"


def test_the_changed_options_name_the_metric_and_otherwise_it_is_the_default() -> None:
    assert selecting_metric({}) == compose([]).training.select_by
    assert selecting_metric({"training.select_by": "macro_f1"}) == "macro_f1"


def test_the_verdict_compares_what_has_selected(jobs: list[RunResult]) -> None:
    plain, ours, _ = jobs

    (verdict,) = verdict_on(ours)

    gaps = np.subtract(values(ours, "roc_auc"), values(plain, "roc_auc"))
    assert verdict.metric == "roc_auc"
    assert verdict.over_baseline is not None
    assert verdict.over_baseline.mean == pytest.approx(gaps.mean())
    text = printed(report(ours))
    assert "verdict synthetic (gcn, transductive, by ROC AUC): " in text
    assert f"has a ROC AUC of {100 * np.mean(values(ours, 'roc_auc')):.1f}% on" in text


def test_the_closing_table_opens_with_what_has_selected_and_has_accuracy_below(
    jobs: list[RunResult],
) -> None:
    ours = jobs[1]
    text = printed(report(ours))
    labelled = (re.split("  +", line.strip()) for line in text.splitlines())
    rows = {label: cells for label, *cells in labelled}
    gap = np.mean(values(ours, "roc_auc")) - np.mean(values(ours, "roc_auc", "teacher"))

    assert "in %, ROC AUC unless a row names another metric" in text
    assert rows["student"][0] == shown(values(ours, "roc_auc"))
    assert rows["difference"][0] == f"{100 * gap:+.2f}"
    assert rows["student, accuracy"][0] == shown(values(ours, "accuracy"))
    assert "student, ROC AUC" not in rows
    html = Result(ours)._repr_html_()
    assert "ROC AUC" in html
    assert f"{100 * np.mean(values(ours, 'roc_auc')):.2f}" in html


def test_a_line_of_a_sweep_has_both(jobs: list[RunResult]) -> None:
    _, ours, plain = jobs
    auc, accuracy = (
        f"student {shown(values(ours, metric))}, teacher {shown(values(ours, metric, 'teacher'))}"
        for metric in ("roc_auc", "accuracy")
    )

    told = printed(one_line("cell", ours))
    assert f"cell: ROC AUC of {auc}; accuracy of {accuracy} (% of test nodes), " in told
    assert f"cell: student {shown(values(plain, 'accuracy'))}, teac" in printed(
        one_line("cell", plain)
    )


def planned(job: RunResult) -> Planned:
    run = read_run(job.path)
    assert run is not None
    replicas = tuple(seed.replica for seed in job.seeds)
    folder = str(cell_folder(job.config))
    return Planned(job.config.method.name, "synthetic", folder, run.key, replicas, True, False)


def swept(*jobs: RunResult) -> str:
    folder = Path(jobs[0].config.output_dir)
    return printed(closing(begin(folder, [planned(job) for job in jobs]), 1.0))


def test_the_end_of_a_sweep_shows_each_cell_by_what_has_selected_it(jobs: list[RunResult]) -> None:
    plain, ours, by_accuracy = jobs
    gaps = np.subtract(values(ours, "roc_auc"), values(plain, "roc_auc"))

    told, mixed = swept(plain, ours), swept(ours, by_accuracy)

    assert "\nROC AUC in % of the test nodes: mean" in told
    (row,) = re.findall(r"^ *glnn  .*$", told, re.M)
    assert shown(values(ours, "roc_auc")) in row
    assert row.split()[-1] == f"{100 * gaps.mean():+.2f}"
    assert "compare with gkd-tables --metric roc_auc\n" in told
    assert "accuracy or ROC AUC, whichever selected the epochs, in % of" in mixed
    assert shown(values(by_accuracy, "accuracy")) in mixed
    assert shown(values(ours, "roc_auc")) in mixed
    assert mixed.count("verdict ") == 2
    assert "compare with gkd-tables\n" in mixed


@pytest.mark.parametrize(
    ("metric", "expected"), [("accuracy", "val 75.0%"), ("roc_auc", "val ROC AUC 91.0%")]
)
def test_the_progress_of_a_stage_is_that_of_what_selects(
    metric: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(display.Progress, "update", lambda *_, **fields: told.append(fields["now"]))

    with stage_progress("student", [0], lambda *_: None, metric) as advance:
        advance([0], 1, [Epoch(1, 0.5, 0.5, 0.75, (("val_roc_auc", 0.91),))])
    assert told[0] == f"0/1 seeds  epoch 1  {expected}"


def best_by(job: RunResult, folder: Path) -> Path:
    """A copy of the run of which seed 1 has the best accuracy and seed 2 the best ROC AUC."""
    shutil.copytree(job.path, folder)

    def change(result: dict[str, Any]) -> None:
        for seed in result["seeds"]:
            seed["student"]["scores"]["val"] = 0.9 if seed["seed"] == 1 else 0.8
            seed["student"]["roc_auc"]["val"] = 0.9 if seed["seed"] == 2 else 0.8

    seal_again(folder, change)
    return folder


def test_the_student_that_is_exported_is_the_best_by_what_has_selected(
    jobs: list[RunResult], tmp_path: Path
) -> None:
    _, ours, plain = jobs
    by_auc, by_accuracy = (
        export_run(best_by(job, tmp_path / name), tmp_path / f"{name}-out", Options(measures=False))
        for name, job in (("auc", ours), ("accuracy", plain))
    )

    assert (by_auc.facts["seeds"], by_accuracy.facts["seeds"]) == ([2], [1])
    auc = 100 * values(ours, "roc_auc")[2]
    assert "seed 2, the best of 3 by validation ROC AUC" in by_auc.notes
    assert f"test ROC AUC {auc:.2f}%, as the run recorded it" in by_auc.notes
    assert "seed 1, the best of 3 by validation accuracy" in by_accuracy.notes
    cards = [(each.folder / "README.md").read_text() for each in (by_auc, by_accuracy)]
    mean, std = shown(values(ours, "roc_auc")).split("±")
    assert "The seed was chosen by validation ROC AUC." in cards[0]
    assert f"The test ROC AUC is {mean} ± {std} (student)" in cards[0]
    assert "ROC AUC" not in cards[1] + json.dumps(by_accuracy.facts["scores"])


def test_runs_to_choose_from_are_listed_with_what_has_selected_them(jobs: list[RunResult]) -> None:
    folders = [job.path for job in jobs]
    with pytest.raises(Exception, match="finished runs in") as refused:
        find_run(folders)

    metrics = {"roc_auc": "ROC AUC", "accuracy": "accuracy"}
    expected = {
        f"{metrics[metric]} {100 * np.mean(values(job, metric)):.2f}"
        for job, metric in zip(jobs, ("roc_auc", "roc_auc", "accuracy"), strict=True)
    }
    assert set(re.findall(r"test (.*)%", str(refused.value))) == expected


def test_the_figure_and_the_student_of_a_result_go_by_what_has_selected(
    jobs: list[RunResult],
) -> None:
    result = Result(jobs[1])
    panel = result.plot().axes[0]
    heights = {round(float(y), 6) for dots in panel.collections for _, y in dots.get_offsets()}
    best = int(np.argmax(values(jobs[1], "roc_auc", part="val")))

    assert panel.get_ylabel() == "ROC AUC on test nodes in %"
    assert heights.issuperset(round(100 * value, 6) for value in values(jobs[1], "roc_auc"))
    assert tuple(result.student().facts.seeds) == (best,)


def test_a_search_tells_the_test_score_of_what_selects(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra 'search' is not installed")
    from gkd_runner.cli.search import main

    given = ("method=glnn", BY_AUC, "seeds=[0]", f"output_dir={tmp_path}", "--trials", "1")
    out = io.StringIO()
    with redirect_stdout(out):
        main([*SMALL, *SIZE, *given])
    told = r"test ROC AUC of the best \(test nodes\), .*: [\d.]+ \(accuracy [\d.]+\)"
    assert re.search(told, out.getvalue())
