"""A table and its checksum: damage is noticed, and a killed writer leaves no mismatch."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gkd_runner.common import checksums
from gkd_runner.common.checksums import has_sum, write_with_sum
from gkd_runner.common.errors import DamageError
from gkd_runner.common.reading import checked_lines
from tests.damage import cuts, flips

TEXT = "a,b\n1,2\n3,4\n"


def test_every_flip_and_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_with_sum(path, TEXT)
    assert has_sum(path)
    for content in [*flips(TEXT.encode(), 50), *cuts(TEXT.encode(), 100)]:
        path.write_bytes(content)
        with pytest.raises(DamageError, match=r"table\.csv\.sha256 has another checksum"):
            has_sum(path)


def test_damage_to_the_checksum_itself_refuses_the_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_with_sum(path, TEXT)
    beside = tmp_path / "table.csv.sha256"
    digits = beside.read_bytes()[:64]
    for content in [b"", b"\xff\n", *flips(digits, 20)]:
        beside.write_bytes(content)
        with pytest.raises(DamageError):
            has_sum(path)


def test_a_table_of_ones_own_is_read_and_said_to_be_unchecked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(TEXT)
    with caplog.at_level(logging.INFO, "gkd_runner"):
        assert checked_lines(path) == checked_lines(path) == ["a,b", "1,2", "3,4"]
    (told,) = caplog.messages
    assert told.startswith(f"{path} has no checksum beside it")


@pytest.mark.parametrize("writes", range(4))
def test_a_writer_that_dies_leaves_the_table_of_before_or_the_new_one(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    write_with_sum(path, TEXT)
    whole = checksums.write_file
    left = iter(range(writes))

    def replace(part: Path, content: bytes) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        whole(part, content)

    with monkeypatch.context() as patch:
        patch.setattr(checksums, "write_file", replace)
        try:
            write_with_sum(path, "a,b\n5,6\n")
        except KeyboardInterrupt:
            assert writes < 3

    assert has_sum(path)
    assert path.read_text() == (TEXT if writes < 2 else "a,b\n5,6\n")
