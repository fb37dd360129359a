from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tracking.services import service

pytest.importorskip("trackio")

READ_BACK = """
import json
from trackio.sqlite_storage import SQLiteStorage as storage

runs = {run["name"]: run["id"] for run in storage.get_run_records("study")}
print(json.dumps({
    name: {
        "logs": storage.get_logs("study", name, run_id=id),
        "config": storage.get_run_config("study", name, run_id=id),
    }
    for name, id in runs.items()
} | {"alerts": storage.get_alerts("study")}))
"""


@pytest.mark.slow
def test_interleaved_seeds_are_read_back_and_no_server_is_asked(
    python, offline_env: dict[str, str], three_seeds: str, tmp_path: Path
) -> None:
    with service() as server:
        server.behaviour = "silent"
        offline_env |= {"TRACKIO_SERVER_URL": server.url, "TRACKIO_WRITE_TOKEN": "t"}
        offline_env |= {"TRACKIO_SPACE_ID": "me/space", "no_proxy": "127.0.0.1"}
        printed = python("-c", three_seeds, "trackio", str(tmp_path / "job"))
        assert server.asked == 0
    assert printed.splitlines() == [
        "look trackio show --project study",
        "upload trackio sync --project study --space-id me/space",
    ]
    read = json.loads(python("-c", READ_BACK))
    alerts = read.pop("alerts")

    assert sorted(read) == [f"glnn-{seed}" for seed in range(2022, 2025)]
    assert {(a["run"], a["level"]) for a in alerts} == {
        ("glnn-2023", "error"),
        ("glnn-2024", "error"),
    }
    for name, run in read.items():
        seed = int(name[-4:])
        for stage in ("teacher", "student"):
            key = f"{stage}/val_accuracy"
            curve = [(row["step"], row[key]) for row in run["logs"] if key in row]
            assert curve == [(epoch, epoch / 100 + seed) for epoch in range(1, 11)]
        assert run["config"]["_Group"] == "glnn/gcn/cora"
        assert run["config"]["method.tau"] == 2.0
        assert run["config"]["seed"] == seed
    [summary] = [row for row in read["glnn-2022"]["logs"] if "summary/temperature" in row]
    assert summary["summary/temperature"] == 0.2022
    assert summary["summary/student_best_epoch"] == 7
    assert "summary/warnings" not in summary


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trackio.utils

    from gkd_runner.tracking.base import RunIdentity, TrackerError
    from gkd_runner.tracking.trackio_tracker import TrackioTracker

    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(trackio.utils, "TRACKIO_DIR", blocked / "trackio")
    run = RunIdentity("p", "n", "g", "distil", (), {}, 0)
    tracker = TrackioTracker()

    with pytest.raises(TrackerError, match=r"file cannot be written; set TRACKIO_DIR"):
        tracker.begin(run)
    assert tracker.hint() == ()
