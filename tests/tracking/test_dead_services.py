"""Jobs whose tracker cannot be reached, answers rubbish or dies, with W&B itself."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gkd_runner.tracking.background import STUCK_S
from gkd_runner.tracking.base import cause_of
from gkd_runner.tracking.wandb_tracker import FINISH_TIMEOUT_S, INIT_TIMEOUT_S
from tests.support import SMALL
from tests.tracked import offline_env, python
from tests.tracking.services import Service, service

KEY = "0123456789abcdef" * 3
DEAD = ("refuses", "rubbish", "fails", "hangs_up", "silent", "endless")
DYING = ("dies", "breaks")

# One process for all jobs: each costs seconds, and W&B reads its settings once in each.
JOBS = f"""
import json, logging, sys, urllib.request
from gkd_runner import compose, train
from gkd_runner.serving import latency
from gkd_runner.tracking import wandb_tracker

latency.SECONDS = 0.0

class Told(logging.Handler):
    def emit(self, record):
        if "tracking" in record.pathname:
            told.append(record.getMessage())

logging.getLogger("gkd_runner").addHandler(Told())
options = [text for text in {SMALL!r} if text != "tracker=none"]
options += ["method=glnn", "seeds=[1,2]", "dataset.nodes=300", "training.max_epochs=3"]
for behaviour in sys.argv[2:]:
    urllib.request.urlopen(f"{{sys.argv[1]}}/behave/{{behaviour}}").read()
    told, limit = [], 60.0 if behaviour == "well" else 1.0
    wandb_tracker.INIT_TIMEOUT_S = wandb_tracker.FINISH_TIMEOUT_S = limit
    result = train(compose([*options, "tracker.mode=online", f"output_dir={{behaviour}}"]))
    print(json.dumps([behaviour, told, dict(result.job.hint)]))
"""


class Job(NamedTuple):
    """What a job told, how to look at its runs, and its scores by seed and stage."""

    told: list[str]
    hint: dict[str, str]
    scores: list[Any]


class Jobs(NamedTuple):
    """Jobs by the behaviour of the server, their folder, and all that was printed."""

    by_behaviour: dict[str, Job]
    folder: Path
    printed: str
    service: Service
    env: dict[str, str]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    folder = tmp_path_factory.mktemp("jobs")
    with service() as server:
        env = offline_env(folder / "home") | {
            "WANDB_API_KEY": KEY,
            "WANDB_BASE_URL": server.url,
            "no_proxy": "127.0.0.1",
        }
        printed = python("-c", JOBS, server.url, "well", *DEAD, *DYING, env=env, cwd=folder)
        found = {}
        for behaviour, told, hint in map(json.loads, printed.splitlines()):
            [result] = (folder / behaviour).glob("runs/**/result.json")
            seeds = json.loads(result.read_text())["seeds"]
            scores = [seed[stage]["scores"] for seed in seeds for stage in ("teacher", "student")]
            found[behaviour] = Job(told, hint, scores)
        yield Jobs(found, folder, printed, server, env)


@pytest.mark.slow
def test_a_server_that_answers_is_sent_everything(jobs: Jobs) -> None:
    job = jobs.by_behaviour["well"]
    assert job.told == []
    assert job.hint["look"] == f"{jobs.service.url}/me/study"


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", DEAD)
def test_a_dead_server_is_told_once_and_runs_are_recorded_offline(
    jobs: Jobs, behaviour: str
) -> None:
    job = jobs.by_behaviour[behaviour]
    folder = jobs.folder / behaviour / "wandb"
    [told] = job.told
    assert told.startswith("W&B cannot be reached (")
    assert told.endswith("recording offline; upload later with: " + job.hint["upload"])
    assert job.hint["upload"] == f"wandb sync {behaviour}/wandb/offline-run-*"
    assert len(list(folder.glob("offline-run-*/*.wandb"))) == 2
    assert not list(folder.glob("run-*"))


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", DYING)
def test_what_a_server_did_not_take_before_it_died_is_uploaded_by_the_command_that_is_told(
    jobs: Jobs, behaviour: str
) -> None:
    [told] = jobs.by_behaviour[behaviour].told
    what, _, command = told.partition("; upload the rest with: ")
    assert what.startswith("W&B did not take all of ")
    jobs.service.behaviour, jobs.service.rows = "well", []
    uploaded = python("-m", *shlex.split(command), env=jobs.env, cwd=jobs.folder)
    assert KEY not in uploaded
    epochs = [row["student/epoch"] for row in jobs.service.rows if "student/epoch" in row]
    assert sorted(epochs) == [1, 1, 2, 2, 3, 3]


@pytest.mark.slow
def test_an_offline_run_is_uploaded_by_the_command_that_is_told(jobs: Jobs) -> None:
    jobs.service.behaviour, jobs.service.rows = "well", []
    command = shlex.split(jobs.by_behaviour["silent"].hint["upload"])
    paths = jobs.folder.glob(command.pop())
    python("-m", *command, *map(str, paths), env=jobs.env, cwd=jobs.folder)
    epochs = [row["student/epoch"] for row in jobs.service.rows if "student/epoch" in row]
    assert sorted(epochs) == [1, 1, 2, 2, 3, 3]


@pytest.mark.slow
def test_no_behaviour_of_the_server_changes_a_result(jobs: Jobs) -> None:
    scores = [job.scores for job in jobs.by_behaviour.values()]
    assert len(scores) == 1 + len(DEAD) + len(DYING)
    assert all(each == scores[0] for each in scores)


@pytest.mark.slow
def test_no_file_and_no_message_holds_the_key(jobs: Jobs) -> None:
    files = [path for path in jobs.folder.rglob("*") if path.is_file()]
    assert any(path.name == "debug-internal.log" for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in jobs.printed


def test_a_key_that_a_server_quotes_is_left_out() -> None:
    assert cause_of(ValueError(f"invalid key {KEY}, sorry")) == "ValueError: invalid key ..., sorry"


def test_a_dead_server_costs_less_than_ten_seconds() -> None:
    a_second_to_stop_the_process = 1.0
    assert INIT_TIMEOUT_S + FINISH_TIMEOUT_S + a_second_to_stop_the_process <= 10
    assert max(INIT_TIMEOUT_S, FINISH_TIMEOUT_S) < STUCK_S <= 10
