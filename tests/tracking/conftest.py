from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gkd_runner.tracking.base import RunIdentity

REPOSITORY = Path(__file__).resolve().parents[2]

# Five seeds, open together, reporting in turn; the fourth fails and the fifth is left to close().
TRACK_FIVE_SEEDS = """
import sys
from pathlib import Path
from gkd_runner.config.schema import TrackerConfig
from gkd_runner.tracking.base import RunIdentity, open_tracker

options = TrackerConfig(sys.argv[1], "study", None, None, [])
tracker = open_tracker(options, Path(sys.argv[2]))
seeds = range(2022, 2027)
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
for seed in seeds[:3]:
    summary = {"temperature": seed / 10000, "student/best_epoch": 7, "warnings": ["flat teacher"]}
    tracker.finish(seed, summary)
tracker.finish(2025, {}, failed=True)
tracker.close(failed=True)
for label, command in tracker.hint():
    print(label, command)
"""


@pytest.fixture
def five_seeds() -> str:
    return TRACK_FIVE_SEEDS


@pytest.fixture
def identity() -> Callable[[int], RunIdentity]:
    def build(seed: int) -> RunIdentity:
        return RunIdentity("study", f"glnn-{seed}", "glnn/cora", "distil", ("cora",), {}, seed)

    return build


@pytest.fixture
def offline_env(tmp_path: Path) -> dict[str, str]:
    """An environment without keys, without a network, and with its home under tmp_path."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    home = str(tmp_path / "home")
    return kept | {
        "HOME": home,
        "PYTHONPATH": str(REPOSITORY),
        "NETRC": f"{home}/none",
        "WANDB_CONFIG_DIR": f"{home}/config",
        "WANDB_CACHE_DIR": f"{home}/cache",
        "WANDB_DATA_DIR": f"{home}/data",
        "WANDB_ERROR_REPORTING": "false",
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "HF_HOME": f"{home}/hf",
        "HF_HUB_OFFLINE": "1",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }


@pytest.fixture
def python(tmp_path: Path, offline_env: dict[str, str]) -> Callable[..., str]:
    """Run Python code in a process of its own: both backends read their settings once."""

    def run(*args: str) -> str:
        done = subprocess.run(
            [sys.executable, *args],
            cwd=tmp_path,
            env=offline_env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
