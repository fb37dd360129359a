from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gkd_runner.errors import GkdError
from gkd_runner.tracking.base import NullTracker, TrackerError, closing, open_tracker


def test_none_tracks_nothing(tmp_path: Path, identity) -> None:
    with closing(open_tracker("none", directory=tmp_path)) as tracker:
        tracker.begin(identity(0))
        tracker.log(0, {"teacher/epoch": 1})
        tracker.finish(0, {})
    assert isinstance(tracker, NullTracker)
    assert tracker.hint() == ""
    assert list(tmp_path.iterdir()) == []


def test_unknown_name_lists_the_choices_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(GkdError, match=r"'wandbb' \(one of wandb, trackio, none\).*'wandb'\?"):
        open_tracker("wandbb", directory=tmp_path)


def test_missing_trackio_says_what_to_install_and_what_avoids_it(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(TrackerError) as caught:
        open_tracker("trackio", directory=tmp_path)
    message = str(caught.value)
    assert 'pip install "gkd-runner[trackio]"' in message
    assert "tracker=none or tracker=wandb" in message


def test_unknown_mode_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match="'onlin'"):
        open_tracker("wandb", directory=tmp_path, mode="onlin")


def test_trackio_refuses_options_of_wandb(tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match="no option 'entity' \\(given: 'team'\\)"):
        open_tracker("trackio", directory=tmp_path, entity="team")


def test_importing_the_package_imports_no_backend(python) -> None:
    code = (
        "import sys, gkd_runner.tracking.background\n"
        "print({'wandb', 'trackio', 'torch'} & set(sys.modules))"
    )
    assert python("-c", code).strip() == "set()"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_closing_marks_the_runs_failed_when_the_block_raises(error: type[BaseException]) -> None:
    class Recorder(NullTracker):
        failed: bool | None = None

        def close(self, *, failed: bool = False) -> None:
            self.failed = failed

    recorder = Recorder()
    with pytest.raises(error), closing(recorder):
        raise error
    assert recorder.failed is True
    with closing(recorder):
        pass
    assert recorder.failed is False
