"""Studies that are sweeps: every case runs once, its line is its run's, and sentences add up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import study
from support import CPU, SMALL, config

from gkd_runner.config.schema import MethodConfig
from gkd_runner.nodes.summary import QUARTILES
from gkd_runner.reload import reload_run
from gkd_runner.studies import ablation, extraction, find_study, hardness_report, scarcity
from gkd_runner.studies.sweep import TEACHER, Line, accuracies_at
from gkd_runner.train import train

OPTIONS = [text for text in SMALL if not text.startswith("dataset=")]
PLACE = ("synthetic", "gcn")
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


def lines_of(name: str, folder: Path) -> list[Line]:
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
            assert line.value == mine[stage]["scores"]["prod"]
    assert f"{name}.csv" in capsys.readouterr().out


def test_hardness_looks_at_the_nodes_of_every_published_method(
    studied: Callable[[str], Path],
) -> None:
    lines = lines_of("hardness", studied("hardness"))

    for method in (TEACHER, *hardness_report.METHODS):
        variant = "" if method == TEACHER else hardness_report.variant_of(method)
        quarters = [accuracies_at(lines, PLACE, variant, method, part) for part in QUARTILES]
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


def line(
    variant: str,
    accuracy: float,
    seed: int,
    method: str = "infgrand",
    part: str = "",
    measure: str = "accuracy",
) -> Line:
    return Line(
        dataset="cora", protocol="infgrand", setting="transductive", teacher="gcn", layers=2,
        hidden_dim=8, method=method, variant=variant, seed=seed, measure=measure, part=part,
        value=accuracy, run="r", device="cpu", commit="",
    )  # fmt: skip


def test_both_parts_are_held_against_each_alone() -> None:
    accuracies = {"both parts": 0.8, "propagation only": 0.79, "influence only": 0.7}
    lines = [line(name, value + s / 100, s) for name, value in accuracies.items() for s in (0, 1)]
    told = ablation.sentence(lines)
    assert "influence adds +1.00 points" in told
    assert "propagation adds +10.00" in told
    assert told.endswith("holds here.")

    worse = [line("propagation only", 0.81, s) for s in (0, 1)]
    others = [each for each in lines if each.variant != "propagation only"]
    assert ablation.sentence([*others, *worse]).endswith("does not hold everywhere here.")


@pytest.mark.parametrize(("lead", "holds"), [(0.05, True), (0.03, False)])
def test_infgrands_lead_with_few_labels_is_held_against_the_claim(lead: float, holds: bool) -> None:
    lines = [
        line(share, 0.6 + (lead if method == "infgrand" else 0), seed, method)
        for share in scarcity.SHARES
        for method in scarcity.METHODS
        for seed in (0, 1)
    ]
    told = scarcity.sentence(lines)
    assert f"leads GLNN by {100 * lead:+.2f} points" in told
    assert told.endswith("holds here." if holds else "does not hold here.")


def test_the_cost_of_subgraphs_is_what_an_epoch_takes_beyond_glnns() -> None:
    seconds = {"glnn": 2.0, "hgmd-weight": 4.0, "hgmd-mixup": 8.0}
    lines = [line("", s, 0, method, measure="seconds_per_epoch") for method, s in seconds.items()]
    share = {m: hardness_report.extraction_share(lines, m)["cora", "gcn"] for m in seconds}
    assert share == {"glnn": 0.0, "hgmd-weight": 0.5, "hgmd-mixup": 0.75}
