"""Studies that are sweeps: every case runs once, its rows are its run's, and sentences add up."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from reporting.study_lines import all_studies
from rich.console import Console
from support import CPU, SMALL, config

from gkd_runner.cli.study import main
from gkd_runner.nodes.quarters import QUARTERS
from gkd_runner.options.schema import Config
from gkd_runner.runs.reload import reload_run
from gkd_runner.runs.train import train
from gkd_runner.studies import ablation, extraction, find_study, hardness, scarcity
from gkd_runner.studies.sweep import TEACHER

OPTIONS = [text for text in SMALL if not text.startswith("dataset=")]
CASES = {"recipe": 18, "ablation": 9 + 1, "scarcity": 4 * 3, "hardness": 3 + 2 * 4}
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
    main([name, "--seeds", "0,1", *where, "training.max_epochs=8"])


def measured(name: str, folder: Path) -> pd.DataFrame:
    return find_study(name).measurements(name, folder).read()


def runs_in(folder: Path) -> set[Path]:
    return {path.parent for path in folder.rglob("result.json")}


@pytest.mark.parametrize("name", CASES)
def test_every_case_runs_once_and_its_accuracy_is_that_of_its_run(
    name: str, studied: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = studied(name)
    first, runs = measured(name, folder), runs_in(folder)
    run(name, folder)
    again = measured(name, folder)

    assert runs_in(folder) == runs
    assert len(runs) == CASES[name]
    assert {folder / path for path in first["run"]} == runs
    pd.testing.assert_frame_equal(*(t[t["measure"] != "seconds_per_epoch"] for t in (first, again)))
    overall = first[(first["measure"] == "accuracy") & (first["part"] == "")]
    assert len(overall) == 2 * first.groupby(["method", "variant"]).ngroups
    for row in overall.itertuples():
        seeds = json.loads((folder / row.run / "result.json").read_text())["seeds"]
        stage = "teacher" if row.method == TEACHER else "student"
        (mine,) = (seed for seed in seeds if seed["seed"] == row.seed)
        assert row.value == mine[stage]["scores"]["test"]
    assert f"{name}.csv" in capsys.readouterr().out


def test_hardness_looks_at_the_nodes_of_every_published_method(
    studied: Callable[[str], Path],
) -> None:
    table = hardness.as_published(measured("hardness", studied("hardness")))

    accuracy = table[table["measure"] == "accuracy"]
    by_part = accuracy.pivot(index=["method", "seed"], columns="part", values="value")
    assert set(by_part.index) == {(m, s) for m in (TEACHER, *hardness.METHODS) for s in (0, 1)}
    quarters = by_part[list(QUARTERS)].mean(axis=1)  # quarters of 100 test nodes weigh alike
    pd.testing.assert_series_equal(quarters, by_part[""], check_names=False)
    columns = (
        table["method"]
        .eq(TEACHER)
        .map({True: "knowledge_hardness", False: "distillation_hardness"})
    )
    shares = table[table["measure"] == columns].groupby(["method", "seed"])["value"]
    assert shares.sum().to_list() == pytest.approx([1.0] * len(by_part)), "a histogram per seed"
    seconds = set(table.loc[table["measure"] == "seconds_per_epoch", "method"])
    assert seconds == {"glnn", "hgmd-weight", "hgmd-mixup"}


def test_methods_take_turns_when_their_epochs_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = train(config("seeds=[0]", "method=glnn", f"output_dir={tmp_path}"))
    seed = reload_run(*result.paths)
    turns: list[str] = []
    paces = {"glnn": 1.0, "hgmd-mixup": 3.0}
    now = [0.0]

    def counted(tasks: Any, soft_labels: Any, asked: Config, *others: Any) -> None:
        turns.append(asked.method.name)
        for _ in range(extraction.EPOCHS):
            now[0] += paces[asked.method.name]
            others[-1]()

    monkeypatch.setattr(extraction, "train_students", counted)
    monkeypatch.setattr(extraction, "clock", lambda device: lambda: now[0])
    methods = {name: config(f"method={name}").method for name in paces}

    assert extraction.seconds_per_epoch(seed, methods, CPU) == paces
    assert turns == list(paces) * extraction.TURNS


MADE_UP = {name: table[table["setting"] == "transductive"] for name, table in all_studies().items()}


def printed(shown: Any) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(shown)
    return " ".join(console.export_text().split())


def without(dataset: str, table: pd.DataFrame) -> pd.DataFrame:
    return table[table["dataset"] != dataset]


def uneven(table: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """Differences to ``name`` that vary by 0.01 points; equal ones have no test."""
    extra = (table["seed"] - 1) * 1e-4
    return table.assign(value=table["value"] + extra.where(table[column] == name, 0))


def test_both_parts_are_held_against_each_alone() -> None:
    table = uneven(MADE_UP["ablation"], "variant", ablation.BOTH)
    told = ablation.sentence(table)
    assert "Influence adds +1.00 points of test accuracy to propagation, on average." in told
    assert "helps on 3 of 3 pairs of graph and teacher, with p < 0.05 on 3 of them." in told
    assert "Propagation adds +4.00 points to influence." in told
    assert "that both parts contribute. This holds here." in told
    others = table["variant"] != "influence only"
    worse = table.assign(value=table["value"].where(others, 0.9))
    assert "contribute. This does not hold here." in ablation.sentence(worse)
    unclear = table.assign(value=table["value"].where(others, 0.75 + table["seed"] / 10))
    assert "is not confirmed here" in ablation.sentence(unclear)
    assert "be judged on fewer than 3 graphs." in ablation.sentence(without("cora", table))
    assert "propagation only 79.00±0.82 69.00±0.82" in printed(ablation.table(table))


@pytest.mark.parametrize(("more", "verdict"), [(0.0, "are reached"), (-0.01, "are not reached")])
def test_infgrands_lead_with_few_labels_is_held_against_the_claim(
    more: float, verdict: str
) -> None:
    table = MADE_UP["scarcity"]
    infgrand = (table["method"] == "infgrand").astype(float)
    gained = table.assign(value=table["value"] + more * infgrand)
    assert f"They {verdict} here." in scarcity.sentence(gained)
    assert "be judged on fewer than 3 graphs." in scarcity.sentence(without("cora", gained))


def test_collapsed_students_are_told() -> None:
    table = MADE_UP["ablation"]
    collapsed = table.assign(measure="collapsed", value=(table["variant"] == "mlp").astype(float))
    told = ablation.sentence(pd.concat([table, collapsed]))
    assert f" {len(table) // 13} of the {len(table)} students" in told


def test_one_seed_has_no_spread_and_no_test() -> None:
    one = MADE_UP["ablation"].query("seed == 0")
    told = "3 of 3 pairs of graph and teacher (not tested, as there are fewer than 3 seeds)"
    assert told in ablation.sentence(one)
    assert "propagation only 78.00 68.00" in printed(ablation.table(one))


def test_the_lead_is_that_of_each_share() -> None:
    table = uneven(MADE_UP["scarcity"], "method", "infgrand")
    leads = scarcity.leads(scarcity.by_share(table), "glnn")["mean"].loc["cora"].droplevel([0, 1])
    assert (100 * leads).round(6).to_dict() == {"10%": 5, "20%": 4, "40%": 3, "100%": 2}
    told = scarcity.sentence(table)
    assert "is 4.00 points ahead of GLNN on average. It is better in 9 of 9 cases" in told
    assert "with p < 0.05 on 9 of them. It is 3.00 points ahead of HGMD-mixup" in told
    assert "With all labels it is 2.00 points ahead of GLNN." in told
    row = "cora gcn 10% 60.00±0.82 61.00±0.82 62.00±0.82 66.00±0.82 +5.00 *"
    assert row in printed(scarcity.table(table))


def test_hardness_tells_gains_by_quarter_variants_and_costs() -> None:
    told = hardness.sentence(MADE_UP["hardness"])
    assert "On the hardest quarter of the nodes HGMD-mixup is 3.00 points ahead of GLNN." in told
    assert "On the easiest quarter it is 6.00 points ahead of GLNN." in told
    assert "+1.00 points against knowledge hardness alone, by +2.00 points against dist" in told
    assert "and by +3.00 points against neither." in told
    assert "takes 50% of an epoch of hgmd-weight and 75% of an epoch of hgmd-mixup" in told
    shown = printed(hardness.tables(MADE_UP["hardness"]))
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
    assert "the same command goes on from what is finished" in capsys.readouterr().err
    table = measured("hardness", tmp_path)
    assert set(table["measure"]) == {"accuracy", "collapsed"}
    assert table.groupby(["method", "variant"]).ngroups == CASES["hardness"] + 1
