"""Figures of studies: from their measurements to the records that the page draws and filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gkd_runner.reporting.page.figures import save, studies
from gkd_runner.reporting.page.sizes import largest
from gkd_runner.reporting.page.studies import ON_REQUEST, study_figures
from gkd_runner.reporting.rows import ReportError
from tests.reporting.study_lines import FIGURES, line, write_studies


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("outputs")
    write_studies(found)
    return found


@pytest.fixture(scope="module")
def records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for figure in studies([folder]):
        assert figure.spec is not None
        (found[figure.name],) = figure.spec["datasets"].values()
    return found


def test_every_study_and_setting_has_its_figures(folder: Path) -> None:
    assert {figure.name for figure in study_figures(folder)} == set(FIGURES)
    assert all(figure.sentence.endswith(".") for figure in study_figures(folder))


def test_a_folder_without_studies_has_none(tmp_path: Path) -> None:
    assert study_figures(tmp_path) == []


def test_figures_of_one_setting_draw_that_setting_alone(
    records: dict[str, list[dict[str, Any]]],
) -> None:
    for name, found in records.items():
        setting = "inductive" if "inductive" in name else "transductive"
        assert {record["setting"] for record in found} == {setting}
        assert {record["dataset"] for record in found} == {"cora", "citeseer"}


def values(found: Sequence[dict[str, Any]], **where: Any) -> set[tuple[float, ...]]:
    return {
        tuple(record[end] for end in ("low", "value", "high"))
        for record in found
        if where.items() <= record.items()
    }


def test_values_are_means_with_population_std_in_percent(
    records: dict[str, list[dict[str, Any]]],
) -> None:
    parts = records["ablation-transductive"]
    assert values(parts, row="both parts", dataset="cora") == {(70.0, 70.05, 70.1)}
    few = records["scarcity-transductive"]
    assert values(few, kind="teacher", x="10%") == {(60.0, 60.05, 60.1)}
    gains = records["hardness-quarters-transductive"]
    assert values(gains, kind="infgrand", x="hardest") == {(0.0, 0.0, 0.0)}
    assert values(gains, kind="glnn") == set(), "differences to glnn"
    shares = records["hardness-inductive"]
    assert values(shares, kind="teacher", x=0.5) == {(75.0, 75.0, 75.0)}


def test_a_teacher_stays_whichever_methods_are_kept(
    records: dict[str, list[dict[str, Any]]],
) -> None:
    for name in ("hardness-transductive", "scarcity-transductive"):
        methods = {record["kind"]: record.get("method") for record in records[name]}
        assert methods.pop("teacher") is None
        assert all(kind == method for kind, method in methods.items())


def test_times_are_told_in_those_of_the_mlp(records: dict[str, list[dict[str, Any]]]) -> None:
    found = records["inference-transductive-1-cpu"]
    assert values(found, kind="gcn") == {(7.2, 8.0, 8.8)}
    assert values(found, kind=ON_REQUEST) == {(3.6, 4.0, 4.4)}
    assert list(dict.fromkeys(record["panel"] for record in found)) == [
        "one node per request",
        "32 nodes per request",
        "1024 nodes per request",
        "all test nodes at once",
    ]


def test_of_several_sizes_the_largest_of_each_place_is_shown() -> None:
    small, large = line(value=0.1), line(value=0.2, hidden_dim=16)
    alone = replace(small, dataset="pubmed")
    assert largest([small, large, alone]) == [large, alone]


def test_measurements_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "studies" / "ablation.csv"
    path.parent.mkdir()
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ReportError, match="has columns a, b, this version writes"):
        study_figures(tmp_path)


def test_figures_become_files(folder: Path, tmp_path: Path) -> None:
    written = save(studies([folder]), tmp_path)
    assert {path.stem for path in written} == set(FIGURES)
    assert {path.suffix for path in written} == {".svg", ".png"}
    text = (tmp_path / "ablation-transductive.svg").read_text()
    assert "propagation only" in text
    assert "test accuracy, %" in text
