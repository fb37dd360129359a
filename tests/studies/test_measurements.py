"""A study's CSV: read as it was written, with each scope's newest configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gkd_runner.results.frame import ReportError
from gkd_runner.studies.measurements import Form, Measurements

HEADER = "dataset,seed,value,configuration"
FORM = Form(HEADER, scope=("dataset",), index=("seed",))


def made(dataset: str, seed: int | None, value: float, configuration: str = "c") -> list[Any]:
    return [dataset, seed, value, configuration]


def measurements(folder: Path) -> Measurements:
    (folder / "studies").mkdir(exist_ok=True)
    return Measurements(folder / "studies" / "made-up.csv", FORM)


def rows(table: pd.DataFrame) -> list[list[Any]]:
    return [[None if value is pd.NA else value for value in row] for row in table.to_numpy()]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = [made("a", 1, 0.1 + 0.2), made('b, "quoted"', None, 1e-12)]
    measurements(tmp_path).add(FORM.table(written))
    assert rows(measurements(tmp_path).read()) == written
    text = measurements(tmp_path).path.read_text()
    assert text == f'{HEADER}\na,1,0.30000000000000004,c\n"b, ""quoted""",,1e-12,c\n'


def test_a_value_that_is_no_number_is_kept(tmp_path: Path) -> None:
    measurements(tmp_path).add(FORM.table([made("a", 1, float("nan"))]))
    assert measurements(tmp_path).read()["value"].isna().all()


def test_a_new_row_takes_the_place_of_its_equal(tmp_path: Path) -> None:
    table = measurements(tmp_path)
    table.add(FORM.table([made("a", 1, 1.0), made("b", None, 2.0)]))
    table.add(FORM.table([made("c", 3, 3.0), made("a", 1, 9.0)]))
    assert rows(table.read()) == [made("a", 1, 9.0), made("b", None, 2.0), made("c", 3, 3.0)]
    assert [path.name for path in table.path.parent.glob("*.part")] == []


def test_another_configuration_outdates_all_rows_of_its_scope(tmp_path: Path) -> None:
    table = measurements(tmp_path)
    table.add(FORM.table([made("a", 1, 1.0), made("a", 2, 2.0), made("b", 1, 3.0)]))
    table.add(FORM.table([made("a", 2, 4.0, "d")]))
    assert rows(table.read()) == [made("a", 2, 4.0, "d"), made("b", 1, 3.0)]


def test_a_file_with_other_columns_is_named_and_kept(tmp_path: Path) -> None:
    table = measurements(tmp_path)
    table.path.write_text("dataset,value\na,1\n")
    with pytest.raises(ReportError, match=r"made-up.csv has columns dataset, value.*move it away"):
        table.add(FORM.table([made("a", 1, 1.0)]))
    assert table.path.read_text() == "dataset,value\na,1\n"


def test_there_is_nothing_to_read_before_the_first_row(tmp_path: Path) -> None:
    assert measurements(tmp_path).read().empty


@pytest.mark.parametrize(
    ("line", "why"),
    [("b,two,2.0,c", "'two'"), ("b,2,,c", "could not convert")],
)  # fmt: skip
def test_a_broken_value_is_named(line: str, why: str, tmp_path: Path) -> None:
    table = measurements(tmp_path)
    table.path.write_text(f"{HEADER}\na,1,1.0,c\n{line}\n")
    with pytest.raises(
        ReportError, match=r"made-up.csv, line 3 is broken .* run the study again"
    ) as told:
        table.read()
    assert why in str(told.value)


@pytest.mark.parametrize(
    ("line", "why"),
    [("b,2", "2 of 4 values"), ("b,2,2.0,c,d", "5 of 4 values"), ('"b,2,2.0,c', "unexpected end")],
)
def test_a_line_of_another_length_is_named(line: str, why: str, tmp_path: Path) -> None:
    table = measurements(tmp_path)
    table.path.write_text(f"{HEADER}\na,1,1.0,c\n{line}\n")
    with pytest.raises(
        ReportError, match=r"made-up.csv is (damaged|unreadable) .*study again"
    ) as told:
        table.read()
    assert why in str(told.value)
