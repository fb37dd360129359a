from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from gkd_runner.studies.lines import Line, Lines

from gkd_runner.reporting.rows import ReportError


@dataclass(frozen=True, kw_only=True)
class MadeUp(Line):
    SCOPE: ClassVar = ("name",)
    IDENTITY: ClassVar = ("count",)

    name: str
    count: int | None
    value: float


def made(name: str, count: int | None, value: float, configuration: str = "c") -> MadeUp:
    return MadeUp(name=name, count=count, value=value, configuration=configuration)


def lines(folder: Path) -> Lines[MadeUp]:
    return Lines(folder / "studies" / "made-up.csv", MadeUp)


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = [made("a", 1, 0.1 + 0.2), made('b, "quoted"', None, 1e-12)]
    lines(tmp_path).add(written)
    assert lines(tmp_path).read() == written
    assert lines(tmp_path).path.read_text().splitlines()[0] == "name,count,value,configuration"


def test_a_new_line_takes_the_place_of_its_equal(tmp_path: Path) -> None:
    table = lines(tmp_path)
    table.add([made("a", 1, 1.0), made("b", None, 2.0)])
    table.add([made("c", 3, 3.0), made("a", 1, 9.0)])
    assert table.read() == [made("a", 1, 9.0), made("b", None, 2.0), made("c", 3, 3.0)]
    assert [path.name for path in table.path.parent.glob("*.part")] == []


def test_another_configuration_outdates_all_lines_of_its_scope(tmp_path: Path) -> None:
    table = lines(tmp_path)
    table.add([made("a", 1, 1.0), made("a", 2, 2.0), made("b", 1, 3.0)])
    table.add([made("a", 2, 4.0, "d")])
    assert table.read() == [made("a", 2, 4.0, "d"), made("b", 1, 3.0)]


def test_a_file_with_other_columns_is_named_and_kept(tmp_path: Path) -> None:
    table = lines(tmp_path)
    table.path.parent.mkdir()
    table.path.write_text("name,value\na,1\n")
    with pytest.raises(ReportError, match=r"made-up.csv has columns name, value.*move it away"):
        table.add([made("a", 1, 1.0)])
    assert table.path.read_text() == "name,value\na,1\n"


def test_there_is_nothing_to_read_before_the_first_line(tmp_path: Path) -> None:
    assert lines(tmp_path).read() == []


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    table = lines(tmp_path)
    table.add([made("a", 1, 1.0), made("b", 2, 2.0)])
    text = table.path.read_text()
    table.path.write_text(text[: text.index("2.0")])
    with pytest.raises(ReportError, match=r"made-up.csv, line 3 is broken .* run the study again"):
        table.read()
