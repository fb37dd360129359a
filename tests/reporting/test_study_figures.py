"""Figures of studies: from their measurements to the records that the page draws and filters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gkd_runner.reporting.page.figures import WRITTEN, save
from gkd_runner.reporting.page.studies import study_figures
from gkd_runner.reporting.page.studies.figures import BEFOREHAND, ON_REQUEST
from gkd_runner.reporting.page.studies.figures import FIGURES as MAKERS
from gkd_runner.studies import STUDIES, recipe
from tests.reporting.study_lines import FIGURES, all_studies, recipe_rows, write_studies

Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("outputs")
    write_studies(found)
    return found


@pytest.fixture(scope="module")
def records(folder: Path) -> dict[str, Records]:
    found = {}
    for figure in study_figures([folder]):
        assert figure.spec is not None
        (found[figure.name],) = figure.spec["datasets"].values()
    return found


def test_every_study_and_setting_has_its_figures(folder: Path) -> None:
    assert MAKERS.keys() == STUDIES.keys()
    assert {figure.name for figure in study_figures([folder])} == set(FIGURES)
    found = {figure.name: figure.finding for figure in study_figures([folder])}
    assert "both parts contribute" in found["ablation-infgrand-inductive"]
    assert "the hardest quarter" in found["hardness-quarters-infgrand-transductive"]


def test_figures_name_the_nodes_widths_and_seeds_behind_them(tmp_path: Path) -> None:
    rows = recipe_rows("cora", "inductive")
    hidden = [row | {"part": "hidden"} for row in rows if row["measure"] == "accuracy"]
    STUDIES["recipe"].measurements("recipe", tmp_path).add(pd.DataFrame(hidden))
    STUDIES["ablation"].measurements("ablation", tmp_path).add(all_studies()["ablation"])
    said = {figure.name: figure.text for figure in study_figures([tmp_path])}
    made_of = "Hidden width 8; seeds 0 to 2."
    over = "Test accuracies are over"
    assert said["recipe-infgrand-inductive"].endswith(f"{over} hidden nodes. {made_of}")
    all_nodes = f"{over} all test nodes, hidden and observed. {made_of}"
    assert said["ablation-infgrand-inductive"].endswith(all_nodes)
    assert over not in said["ablation-infgrand-transductive"]


def test_a_folder_without_studies_has_none(tmp_path: Path) -> None:
    assert study_figures([tmp_path]) == []


def test_figures_of_one_setting_draw_that_setting_alone(records: dict[str, Records]) -> None:
    for name, found in records.items():
        setting = "inductive" if "inductive" in name else "transductive"
        assert {record["setting"] for record in found} == {setting}
        assert {record["dataset"] for record in found} == {"cora", "citeseer", "pubmed"}


def drawn(found: Sequence[dict[str, Any]], **where: Any) -> set[tuple[float, ...]]:
    return {
        tuple(record[end] for end in ("low", "value", "high"))
        for record in found
        if where.items() <= record.items()
    }


STD = 0.82
"""Population std, in points, of accuracies a point below, at and a point above their mean."""


def around(mean: float) -> set[tuple[float, ...]]:
    return {(round(mean - STD, 2), mean, round(mean + STD, 2))}


def test_the_ablation_draws_every_variant(records: dict[str, Records]) -> None:
    found = records["ablation-infgrand-transductive"]
    assert drawn(found, row="both parts", dataset="cora") == around(80.0)
    assert drawn(found, row="influence only", dataset="pubmed") == around(86.0)
    assert drawn(found, row="mlp", dataset="cora") == set(), "it would squeeze the others"
    assert drawn(found, row="4 hops", dataset="cora", kind="hops") == around(62.0)


def test_the_recipe_draws_validation_and_test_of_every_variant(
    records: dict[str, Records],
) -> None:
    found = records["recipe-infgrand-inductive"]
    assert drawn(found, row="glnn", dataset="cora", kind="test") == around(60.0)
    assert drawn(found, row="glnn, 4 hops", dataset="cora", kind="validation") == around(72.0)
    assert {record["row"] for record in found} == set(recipe.VARIANTS)


def test_scarcity_draws_teacher_and_students_by_share(records: dict[str, Records]) -> None:
    found = records["scarcity-infgrand-inductive"]
    assert drawn(found, kind="teacher", x="10%", dataset="cora") == around(60.0)
    assert drawn(found, kind="infgrand", x="40%", dataset="cora") == around(84.0)
    assert drawn(found, kind="glnn", x="100%", dataset="citeseer") == around(81.0)


def test_quarters_draw_the_difference_to_glnn(records: dict[str, Records]) -> None:
    found = records["hardness-quarters-infgrand-transductive"]
    assert drawn(found, kind="hgmd-mixup", x="hardest") == {(3.0, 3.0, 3.0)}
    assert drawn(found, kind="hgmd-mixup", x="easiest") == {(6.0, 6.0, 6.0)}
    assert drawn(found, kind="teacher", x="second") == {(-10.0, -10.0, -10.0)}
    assert drawn(found, kind="glnn") == set()


def test_hgmd_is_drawn_by_what_it_draws_edges_with(records: dict[str, Records]) -> None:
    found = records["hardness-hgmd-infgrand-transductive"]
    rows = {row: drawn(found, row=row, kind="hgmd-weight", dataset="cora") for row in
            ("both", "knowledge", "distillation", "none")}  # fmt: skip
    assert rows == {
        "both": around(76.5),
        "knowledge": around(75.5),
        "distillation": around(74.5),
        "none": around(73.5),
    }


def test_distributions_are_shares_of_nodes(records: dict[str, Records]) -> None:
    found = records["hardness-infgrand-inductive"]
    assert drawn(found, kind="teacher", x=0.525) == {(75.0, 75.0, 75.0)}
    assert drawn(found, kind="mlp", x=0.025) == {(25.0, 25.0, 25.0)}


def test_influence_draws_both_quarters(records: dict[str, Records]) -> None:
    found = records["influence-infgrand-transductive"]
    where = {"dataset": "cora", "row": "gcn, per-class"}
    assert drawn(found, kind="top quarter", **where) == around(66.0)
    assert drawn(found, kind="bottom quarter", **where) == around(67.0)


def test_times_are_told_in_those_of_the_mlp(records: dict[str, Records]) -> None:
    found = records["inference-1-thread-of-cpu-infgrand-transductive"]
    assert drawn(found, kind="gcn", panel="one node per request") == {(7.2, 8.0, 8.8)}
    assert drawn(found, kind="sage", panel="all test nodes at once") == {(28.8, 32.0, 35.2)}
    assert drawn(found, kind=BEFOREHAND) == {(1.8, 2.0, 2.2)}
    assert drawn(found, kind=ON_REQUEST) == {(3.6, 4.0, 4.4)}
    assert list(dict.fromkeys(record["panel"] for record in found)) == [
        "one node per request",
        "32 nodes per request",
        "1024 nodes per request",
        "all test nodes at once",
    ]


def test_a_teacher_stays_whichever_methods_are_kept(records: dict[str, Records]) -> None:
    for name in ("hardness-infgrand-transductive", "scarcity-infgrand-transductive"):
        methods = {record["kind"]: record.get("method") for record in records[name]}
        assert methods.pop("teacher") is None
        assert all(kind == method for kind, method in methods.items())


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("seed", range(12))
def test_a_study_that_stopped_anywhere_has_its_figures_or_says_why_not(
    name: str, seed: int, tmp_path: Path
) -> None:
    """Whatever part of its rows was written when it stopped, and whichever part was deleted."""
    draw = random.Random(seed)
    rows = all_studies()[name].query("setting == 'transductive'")
    numbers = range(len(rows))
    some = (
        numbers[: draw.randrange(1, len(rows))] if seed % 2 else draw.sample(numbers, 3 * seed + 1)
    )
    STUDIES[name].measurements(name, tmp_path).add(rows.iloc[list(some)])

    found = study_figures([tmp_path])

    assert found
    for figure in found:
        assert figure.spec or figure.text.startswith("Nothing to draw yet")
    assert STUDIES[name].sentence(rows.iloc[list(some)]).endswith(".")
    assert STUDIES[name].table(rows.iloc[list(some)])


def test_protocols_are_not_mixed(tmp_path: Path) -> None:
    rows = all_studies()["ablation"]
    other = rows.assign(protocol="krd", value=0.1)
    STUDIES["ablation"].measurements("ablation", tmp_path).add(pd.concat([rows, other]))
    names = {figure.name for figure in study_figures([tmp_path])}
    assert {"ablation-infgrand-inductive", "ablation-krd-inductive"} < names


def test_of_several_sources_the_last_counts(folder: Path, tmp_path: Path) -> None:
    rows = all_studies()["ablation"].assign(value=0.9, configuration="d")
    STUDIES["ablation"].measurements("ablation", tmp_path).add(rows)
    found = {figure.name: figure.spec for figure in study_figures([folder, tmp_path])}
    assert found.keys() == set(FIGURES)
    spec = found["ablation-infgrand-inductive"]
    assert spec is not None
    (records,) = spec["datasets"].values()
    assert {record["value"] for record in records} == {90.0}


def test_measurements_of_another_form_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "studies" / "ablation.csv"
    path.parent.mkdir()
    path.write_text("a,b\n1,2\n")
    assert study_figures([tmp_path]) == []
    (told,) = caplog.messages
    assert f"{path} has columns a, b, this version writes" in told


def test_figures_become_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "of-the-author.png").touch()
    figures = study_figures([folder])
    for some in (figures[:2], figures):
        written = save(some, tmp_path)
        own = {"of-the-author.png", WRITTEN}
        assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written} | own
    before = set(written)
    written = save(figures[2:], tmp_path)
    assert not any(path.exists() for path in before - set(written)), "an earlier report's"
    assert (tmp_path / "of-the-author.png").exists()
    written = save(figures, tmp_path)
    assert {path.stem for path in written} == set(FIGURES)
    assert {path.suffix for path in written} == {".svg", ".png"}
    text = (tmp_path / "ablation-infgrand-transductive.svg").read_text()
    assert "propagation only" in text
    assert "test accuracy, %" in text
