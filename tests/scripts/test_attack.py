"""The attacks of ``make attack``, a few of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from attack import jobs
from attack.__main__ import disturbing, main
from attack.damage import HARMLESS, WRONG, damage_all, swap_all
from attack.kinds import READERS
from attack.written import write


def test_damage_is_spread_over_all_kinds(tmp_path: Path) -> None:
    counts = damage_all(write(tmp_path / "one"), lambda whole, _: whole[:-1], len(READERS) + 2, 0)

    assert sum(counts.values()) == len(READERS) + 2
    assert {kind for kind, _ in counts} == set(READERS)


def test_what_goes_unnoticed_is_counted_as_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = write(tmp_path / "one"), write(tmp_path / "other", (5, 6))
    place, _ = READERS["teacher"]
    whole = place(one).read_bytes()
    untold = {
        "wrong": lambda written: place(written).read_bytes(),
        "traceback": lambda written: 1 / (place(written).read_bytes() == whole),
        "harmless": lambda written: 7,
    }
    for name, read in untold.items():
        monkeypatch.setitem(READERS, "teacher", (place, read))
        expected = HARMLESS if name == "harmless" else WRONG
        assert swap_all(one, other, 1, 0) == {("teacher", expected): 1}


@pytest.mark.slow
@pytest.mark.parametrize("part", ["kills", "terms", "races"])
def test_a_disturbed_job_ends_like_one_that_was_not(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert disturbing(part, 1, 0, tmp_path) == 0
    assert "1 end like an undisturbed job, 0 do not" in capsys.readouterr().out


def test_another_end_state_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    states = iter([{"seed 3": 1, "half files": []}, {"half files": ["a.part"]}])

    def state(folder: Path, *_: object) -> object:
        folder.mkdir(parents=True)
        return next(states)

    monkeypatch.setattr(jobs, "undisturbed", lambda *given: (state(*given), (1.0, 1)))
    monkeypatch.setattr(jobs, "killed", state)

    assert disturbing("kills", 1, 0, tmp_path) == 1
    assert "half files, seed 3 differ {'half files': ['a.part']}" in capsys.readouterr().out


def test_an_unknown_part_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["attack", "flip"])
    with pytest.raises(SystemExit):
        main()
    assert "flip is not one of flips, cuts, swaps" in capsys.readouterr().err
