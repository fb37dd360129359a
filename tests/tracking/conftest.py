from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from gkd_runner.tracking.base import RunIdentity
from tests import tracked

# Three seeds, open together, reporting in turn; the second fails, the third is left to close().
TRACK_THREE_SEEDS = """
import sys
from pathlib import Path
from gkd_runner.options.schema import TrackerConfig
from gkd_runner.tracking.base import RunIdentity
from gkd_runner.tracking.open import open_tracker

options = TrackerConfig(sys.argv[1], "study", None, None, [])
tracker = open_tracker(options, Path(sys.argv[2]))
seeds = range(2022, 2025)
for seed in seeds:
    config = {"method": {"name": "glnn", "tau": 2.0}}
    tags = ("cora", "gcn")
    tracker.begin(
        RunIdentity("study", f"glnn-{seed}", "glnn/gcn/cora", "distil", tags, config, seed)
    )
for stage in ("teacher", "student"):
    for epoch in range(1, 11):
        for seed in seeds:
            accuracy = epoch / 100 + seed  # tells seeds apart
            tracker.log(seed, {f"{stage}/epoch": epoch, f"{stage}/val_accuracy": accuracy})
tracker.finish(2022, {
    "temperature": 0.2022,
    "student/best_epoch": 7,
    "student/val_accuracy": 0.07,
    "warnings": "flat teacher",
})
tracker.finish(2023, {}, failed=True)
tracker.close(failed=True)
for label, command in tracker.hint():
    print(label, command)
"""


@pytest.fixture(scope="session")
def three_seeds() -> str:
    return TRACK_THREE_SEEDS


@pytest.fixture
def identity() -> Callable[[int], RunIdentity]:
    def build(seed: int) -> RunIdentity:
        return RunIdentity("study", f"glnn-{seed}", "glnn/cora", "distil", ("cora",), {}, seed)

    return build


@pytest.fixture
def offline_env(tmp_path: Path) -> dict[str, str]:
    return tracked.offline_env(tmp_path / "home") | {"TRACKIO_DIR": str(tmp_path / "trackio")}


@pytest.fixture
def python(tmp_path: Path, offline_env: dict[str, str]) -> Callable[..., str]:
    """Run Python code in a process of its own."""
    return partial(tracked.python, env=offline_env, cwd=tmp_path)
