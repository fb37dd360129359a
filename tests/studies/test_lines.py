from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from gkd_runner.reporting.rows import ReportError
from gkd_runner.studies.lines import Lines


@dataclass(frozen=True)
class Line:
    name: str
    count: int | None
    value: float


def lines(folder: Path) -> Lines[Line]:
    return Lines(folder / "studies" / "made-up.csv", Line, ("name", "count"))


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = [Line("a", 1, 0.1 + 0.2), Line('b, "quoted"', None, 1e-12)]
    lines(tmp_path).add(written)
    assert lines(tmp_path).read() == written
    assert lines(tmp_path).path.read_text().splitlines()[0] == "name,count,value"


def test_a_new_line_takes_the_place_of_that_of_equal_key(tmp_path: Path) -> None:
    table = lines(tmp_path)
    table.add([Line("a", 1, 1.0), Line("b", None, 2.0)])
    table.add([Line("c", 3, 3.0), Line("a", 1, 9.0)])
    assert table.read() == [Line("a", 1, 9.0), Line("b", None, 2.0), Line("c", 3, 3.0)]
    assert [path.name for path in table.path.parent.glob("*.part")] == []


def test_a_file_with_other_columns_is_named_and_kept(tmp_path: Path) -> None:
    table = lines(tmp_path)
    table.path.parent.mkdir()
    table.path.write_text("name,value\na,1\n")
    with pytest.raises(ReportError, match=r"made-up.csv has columns name, value.*move it away"):
        table.add([Line("a", 1, 1.0)])
    assert table.path.read_text() == "name,value\na,1\n"


def test_there_is_nothing_to_read_before_the_first_line(tmp_path: Path) -> None:
    assert lines(tmp_path).read() == []
