from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Every array annotation of the package is checked while the tests run.
install_import_hook("gkd_runner", "shape_checks.check")

import torch  # noqa: E402

from gkd_runner.cli.boundary import ENDING  # noqa: E402
from gkd_runner.cli.train import main  # noqa: E402
from gkd_runner.serving import latency  # noqa: E402
from tests.support import SMALL, Done, called  # noqa: E402
from tests.tracked import TrackedRun, offline_env, python, read_runs  # noqa: E402

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and tests send it


@pytest.fixture(autouse=True)
def log_and_signals_as_they_were() -> Iterator[None]:
    """A command sends the package's log to the console, and leaves signals ignored."""
    logger = logging.getLogger("gkd_runner")
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    signals = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGALRM)}
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def brief_answer_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of tests measure the time of few answers."""
    monkeypatch.setattr(latency, "SECONDS", 0.0)


@pytest.fixture
def gkd_train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run the command in this process, which has imported torch already, from a given folder."""

    def run(folder: Path, *arguments: str) -> Done:
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            return called(patch, main, "gkd-train", *arguments)

    return run


@pytest.fixture(scope="session")
def tracked_job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrackedRun]:
    """A small inductive job of one seed, tracked offline: its run's folder, and what W&B has."""
    folder = tmp_path_factory.mktemp("tracked")
    env = offline_env(folder / "home")
    size = ("dataset.nodes=300", "dataset.features=64", "training.max_epochs=12")
    options = [text for text in (*SMALL, *size) if text != "tracker=none"]
    choices = ("setting=inductive", "method=glnn", "seeds=[3]", "tracker.tags=[mine]")
    job = ("-m", "gkd_runner.cli.train", *options, *choices, f"output_dir={folder}")
    python(*job, env=env, cwd=folder)
    [run] = read_runs(folder, env).values()
    [result] = folder.glob("runs/**/result.json")
    return result.parent, run
