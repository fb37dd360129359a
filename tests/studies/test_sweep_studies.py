"""Studies that are sweeps: every case runs once, its line is its run's, and sentences add up."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import study
from reporting.study_lines import all_studies
from rich.console import Console
from support import CPU, SMALL, config

from gkd_runner.nodes.quarters import QUARTERS
from gkd_runner.options.schema import MethodConfig
from gkd_runner.reporting.compare import Place
from gkd_runner.runs.reload import reload_run
from gkd_runner.runs.train import train
from gkd_runner.studies import (
    ablation,
    extraction,
    find_study,
    hardness,
    hardness_report,
    scarcity,
)
from gkd_runner.studies.sweep import TEACHER, SweepLine, accuracies_at

OPTIONS = [text for text in SMALL if not text.startswith("dataset=")]
PLACE = Place("synthetic", "transductive", "gcn")
CASES = {"ablation": 9 + 1, "scarcity": 4 * 3, "hardness": 3 + 2 * 4}
"""Distinct configurations of each study."""


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """The output folder of a study that has run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "OMP_WAIT_POLICY", "PASSIVE")  # as they were, afterwards
        patch.setitem(os.environ, "KINETO_LOG_LEVEL", "99")

        @cache
        def folder(name: str) -> Path:
            found = tmp_path_factory.mktemp(name)
            run(name, found)
            return found

        yield folder


def run(name: str, folder: Path) -> None:
    where = ["--datasets", "synthetic", f"output_dir={folder}", *OPTIONS, "protocol=infgrand"]
    study.main([name, "--seeds", "0,1", *where, "training.max_epochs=8"])


def lines_of(name: str, folder: Path) -> list[SweepLine]:
    return find_study(name).lines(name, folder).read()


def runs_in(folder: Path) -> set[Path]:
    return {path.parent for path in folder.rglob("result.json")}


@pytest.mark.parametrize("name", CASES)
def test_every_case_runs_once_and_its_accuracy_is_that_of_its_run(
    name: str, studied: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = studied(name)
    first, runs = lines_of(name, folder), runs_in(folder)
    run(name, folder)
    again = lines_of(name, folder)

    assert runs_in(folder) == runs
    assert len(runs) == CASES[name]
    assert {folder / line.run for line in first} == runs
    stable = [line for line in first if line.measure != "seconds_per_epoch"]
    assert [line for line in again if line.measure != "seconds_per_epoch"] == stable
    for line in first:
        if line.measure == "accuracy" and not line.part:
            seeds = json.loads((folder / line.run / "result.json").read_text())["seeds"]
            stage = "teacher" if line.method == TEACHER else "student"
            (mine,) = (seed for seed in seeds if seed["seed"] == line.seed)
            assert line.value == mine[stage]["scores"]["test"]
    assert f"{name}.csv" in capsys.readouterr().out


def test_hardness_looks_at_the_nodes_of_every_published_method(
    studied: Callable[[str], Path],
) -> None:
    lines = lines_of("hardness", studied("hardness"))

    for method in (TEACHER, *hardness_report.METHODS):
        variant = "" if method == TEACHER else hardness_report.variant_of(method)
        quarters = [accuracies_at(lines, PLACE, variant, method, part) for part in QUARTERS]
        overall = accuracies_at(lines, PLACE, variant, method)
        for seed in (0, 1):  # quarters of 100 test nodes weigh alike
            assert np.mean([found[seed] for found in quarters]) == pytest.approx(overall[seed])
        column = "knowledge_hardness" if method == TEACHER else "distillation_hardness"
        shares = [
            line.value
            for line in lines
            if (line.method, line.variant, line.measure) == (method, variant, column)
        ]
        assert np.sum(shares) == pytest.approx(2.0), "a histogram per seed"
    seconds = {line.method for line in lines if line.measure == "seconds_per_epoch"}
    assert seconds == {"glnn", "hgmd-weight", "hgmd-mixup"}


def test_methods_take_turns_when_their_epochs_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = train(config("seeds=[0]", "method=glnn", f"output_dir={tmp_path}"))
    seed = reload_run(*result.paths)
    turns: list[str] = []
    paces = {"glnn": 1.0, "hgmd-mixup": 3.0}
    now = [0.0]

    def counted(tasks: Any, logits: Any, method: MethodConfig, *others: Any) -> None:
        turns.append(method.name)
        for _ in range(extraction.EPOCHS):
            now[0] += paces[method.name]
            others[-1]()

    monkeypatch.setattr(extraction, "train_students", counted)
    monkeypatch.setattr(extraction, "clock", lambda device: lambda: now[0])
    methods = {name: config(f"method={name}").method for name in paces}

    assert extraction.seconds_per_epoch(seed, methods, CPU) == paces
    assert turns == list(paces) * extraction.TURNS


LINES = {name: [each for each in lines if each.setting == "transductive"]
         for name, lines in all_studies().items()}  # fmt: skip
CORA = Place("cora", "transductive", "gcn")


def printed(found: Any) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(found)
    return " ".join(console.export_text().split())


def without(dataset: str, lines: Sequence[Any]) -> list[Any]:
    return [each for each in lines if each.dataset != dataset]


def test_both_parts_are_held_against_each_alone() -> None:
    lines = LINES["ablation"]
    told = ablation.sentence(lines)
    assert "influence adds +1.00 points of test accuracy on average" in told
    assert "helps for 3 of 3 (3 with p < 0.05) pairs" in told
    assert "propagation adds +4.00" in told
    assert told.endswith("holds here.")
    worse = [replace(each, value=0.9) if each.variant == "influence only" else each
             for each in lines]  # fmt: skip
    assert ablation.sentence(worse).endswith("does not hold here.")
    unclear = [replace(each, value=0.75 + each.seed / 10) if each.variant == "influence only"
               else each for each in lines]  # fmt: skip
    assert "is not confirmed here" in ablation.sentence(unclear)
    assert ablation.sentence(without("cora", lines)).endswith("fewer than 3 graphs.")
    assert "propagation only 79.00±0.82 69.00±0.82" in printed(ablation.table(lines))


@pytest.mark.parametrize(("more", "verdict"), [(0.0, "are reached"), (-0.01, "are not reached")])
def test_infgrands_lead_with_few_labels_is_held_against_the_claim(
    more: float, verdict: str
) -> None:
    gained = [replace(each, value=each.value + more) if each.method == "infgrand" else each
              for each in LINES["scarcity"]]  # fmt: skip
    told = scarcity.sentence(gained)
    assert told.endswith(f"{verdict} here.")
    assert scarcity.sentence(without("cora", gained)).endswith("fewer than 3 graphs.")


def test_collapsed_students_are_told() -> None:
    lines = LINES["ablation"]
    told = [
        replace(each, measure="collapsed", value=float(each.variant == "mlp")) for each in lines
    ]
    students = len(lines)
    assert f" {len(told) // 13} of the {students} students" in ablation.sentence([*lines, *told])


def test_one_seed_has_no_spread_and_no_test() -> None:
    one = [each for each in LINES["ablation"] if each.seed == 0]
    assert "3 of 3 (one seed, not tested)" in ablation.sentence(one)
    assert "propagation only 78.00 68.00" in printed(ablation.table(one))


def test_the_lead_is_that_of_each_share() -> None:
    leads = scarcity.leads(LINES["scarcity"], "glnn", list(scarcity.SHARES))
    assert [round(100 * leads[CORA, share].mean, 6) for share in scarcity.SHARES] == [5, 4, 3, 2]
    told = scarcity.sentence(LINES["scarcity"])
    assert "is 4.00 points ahead of GLNN on average, better in 9 of 9 (9 with p < 0.05)" in told
    assert "and 3.00 points ahead of HGMD-mixup, better in 9 of 9" in told
    assert "with all labels it is 2.00 points ahead of GLNN" in told
    row = "cora gcn 10% 60.00±0.82 61.00±0.82 62.00±0.82 66.00±0.82 +5.00 *"
    assert row in printed(scarcity.table(LINES["scarcity"]))


def test_hardness_tells_gains_by_quarter_variants_and_costs() -> None:
    told = hardness_report.sentence(LINES["hardness"])
    assert "On the hardest quarter HGMD-mixup is 3.00 points ahead of GLNN" in told
    assert "on the easiest 6.00 points ahead of it" in told
    assert "knowledge +1.00, distillation +2.00, none +3.00" in told
    assert "takes 50% of an epoch of hgmd-weight and 75% of an epoch of hgmd-mixup" in told
    shown = printed(hardness_report.tables(LINES["hardness"]))
    easiest_to_all = "82.00±0.82 79.00±0.82 76.00±0.82 73.00±0.82 77.50±0.82"
    assert f"cora gcn hgmd-mixup {easiest_to_all}" in shown
    assert "cora gcn hgmd-weight 76.50±0.82 75.50±0.82 74.50±0.82 73.50±0.82" in shown


def test_an_interrupted_study_of_hardness_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hardness, "run_columns", interrupted)
    with pytest.raises(SystemExit, match="130"):
        run("hardness", tmp_path)
    assert "what was measured is kept" in capsys.readouterr().err
    found = lines_of("hardness", tmp_path)
    assert {line.measure for line in found} == {"accuracy", "collapsed"}
    assert len({(line.method, line.variant) for line in found}) == CASES["hardness"] + 1
