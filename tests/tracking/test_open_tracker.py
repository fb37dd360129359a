from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import pytest

from gkd_runner.common.errors import ConfigError, GkdError
from gkd_runner.config.build import compose
from gkd_runner.options.schema import TrackerConfig
from gkd_runner.tracking.base import (
    NullTracker,
    TrackerError,
    closing,
)
from gkd_runner.tracking.open import BUILDERS, open_tracker


def config(name: str, *, entity: str | None = None, mode: str | None = None) -> TrackerConfig:
    return TrackerConfig(name=name, project="study", entity=entity, mode=mode, tags=[])


def test_none_tracks_nothing(tmp_path: Path, identity) -> None:
    with closing(open_tracker(config("none"), tmp_path)) as tracker:
        tracker.begin(identity(0))
        tracker.log(0, {"teacher/epoch": 1})
        tracker.finish(0, {})
    assert isinstance(tracker, NullTracker)
    assert tracker.hint() == ()
    assert list(tmp_path.iterdir()) == []


def test_every_tracker_of_the_config_can_be_built() -> None:
    [name] = [field for field in fields(TrackerConfig) if field.name == "name"]
    assert set(name.metadata["choices"]) == set(BUILDERS)


def test_unknown_name_lists_the_choices_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(GkdError, match=r"'wandbb' \(one of wandb, trackio, none\).*'wandb'\?"):
        open_tracker(config("wandbb"), tmp_path)


def test_missing_trackio_says_what_to_install_and_what_avoids_it(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(TrackerError) as caught:
        open_tracker(config("trackio"), tmp_path)
    message = str(caught.value)
    assert "pip install trackio, or choose tracker=none or tracker=wandb" in message


def test_unknown_mode_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match=r"tracker.mode=onlin is not one of online, .*'online'"):
        compose(["tracker.mode=onlin"])


def test_wandb_is_given_entity_and_mode_of_the_config(tmp_path: Path, monkeypatch) -> None:
    given: dict[str, object] = {}

    class FakeWandbTracker(NullTracker):
        def __init__(self, directory: Path, **options: object) -> None:
            given.update(options, directory=directory)

    monkeypatch.setattr("gkd_runner.tracking.open.WandbTracker", FakeWandbTracker)
    composed = compose(["tracker.entity=team", "tracker.mode=offline"])
    with closing(open_tracker(composed.tracker, tmp_path)):
        pass
    assert given == {"directory": tmp_path, "entity": "team", "mode": "offline"}


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
