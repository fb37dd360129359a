"""Every command leaves by the same way: failures in a line, signals with 128 and their number."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gkd_runner.cli.boundary import ENDING, command, one_interrupt
from gkd_runner.cli.train import main
from gkd_runner.common.errors import ConfigError, GkdError
from gkd_runner.runs.record import Record
from tests.support import SMALL, Done, called


def press() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def work_forever() -> None:
    threading.Event().wait()


def code_of(work: Callable[[], object]) -> int | str | None:
    """The exit code, or the message that stands for 1, of a command that does ``work``."""
    with pytest.raises(SystemExit) as stopped:
        command("made-up", resumes=True)(work)()
    return stopped.value.code


def test_an_interrupt_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(press) == 130
    assert capsys.readouterr().err == (
        "made-up: interrupted; the same command goes on from what is finished\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_a_command_like_ctrl_c(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(lambda: signal.raise_signal(number)) == 128 + number
    told = (
        f"made-up: interrupted by {number.name}; the same command goes on from what is finished\n"
    )
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("first", ENDING)
def test_more_signals_do_not_cut_the_cleaning_up_short(first: signal.Signals) -> None:
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(first)
            work_forever()
        finally:
            for number in (*ENDING, *ENDING):
                signal.raise_signal(number)
            cleaned.append("all")

    assert code_of(work) == 128 + first
    assert cleaned == ["all"]


def test_after_a_signal_the_same_command_ends_like_one_that_was_not_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*SMALL, "training.max_epochs=4", "seeds=[0]", "method=glnn")

    def train(folder: Path) -> Done:
        return called(monkeypatch, main, "gkd-train", *options, f"output_dir={folder}")

    def results(folder: Path) -> list[dict[str, float]]:
        found = folder.glob("runs/*/*/*/*/*/result.json")
        return [json.loads(path.read_text())["summary"] for path in found]

    epochs, epoch = iter(range(9)), Record.epoch

    def signalled(*arguments: Any) -> None:
        epoch(*arguments)
        if next(epochs) == 5:  # of the student, as the teacher is in the cache
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "epoch", signalled)
        done = train(tmp_path / "signalled")
    assert done.returncode
    told = "gkd-train: interrupted by SIGTERM; the same command goes on from what is finished"
    assert done.stderr.splitlines() == [told]
    assert results(tmp_path / "signalled") == []

    for folder in ("signalled", "undisturbed"):
        assert train(tmp_path / folder).returncode == 0
    assert results(tmp_path / "signalled") == results(tmp_path / "undisturbed") != []


def test_a_hangup_that_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def work() -> str:
        signal.raise_signal(signal.SIGHUP)
        return "whole"

    assert command("made-up")(work)() == "whole"


@pytest.mark.parametrize("first", ENDING)
def test_a_process_of_a_launcher_is_interrupted_once(first: signal.Signals) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)

    @one_interrupt()
    def work() -> None:
        try:
            signal.raise_signal(first)
        finally:
            for number in ENDING:
                signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_process_of_a_launcher_keeps_its_handlers() -> None:
    def own(*_: object) -> None: ...

    signal.signal(signal.SIGTERM, own)  # as submitit does
    before = [signal.getsignal(number) for number in ENDING]
    with one_interrupt():
        assert signal.getsignal(signal.SIGTERM) is own
    assert [signal.getsignal(number) for number in ENDING] == before


class Swallows:
    """Python drops an exception that is raised in a destructor."""

    def __del__(self) -> None:
        press()


def test_an_interrupt_that_meets_a_destructor_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # pytest's keeps exceptions

    def work() -> None:
        Swallows()
        work_forever()

    assert code_of(work) == 130


def test_an_interrupt_that_a_library_swallows_counts() -> None:
    def work() -> None:
        for _ in range(3):
            with contextlib.suppress(BaseException):
                press()
                work_forever()
        work_forever()

    assert code_of(work) == 130


def test_an_interrupt_that_a_library_turns_into_another_exception_counts() -> None:
    def work() -> None:
        try:
            press()
        except KeyboardInterrupt as error:
            raise ImportError("numpy is broken") from error

    assert code_of(work) == 130


def test_signals_after_the_work_is_done_are_ignored() -> None:
    assert command("made-up")(lambda: "whole")() == "whole"
    for number in ENDING:
        signal.raise_signal(number)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (GkdError("no such graph"), "made-up: no such graph"),
        (ConfigError(["tau=x is not a number"]), "made-up: tau=x is not a number"),
        (ConfigError(["a", "b"]), "made-up: 2 configuration mistakes:\n  - a\n  - b"),
        (OSError("disk full"), "made-up: disk full; look at output_dir, cache_dir and data_dir"),
        (MemoryError(), "made-up: out of memory; use replicas=1 or"),
    ],
)
def test_a_failure_is_told_without_a_traceback(failure: Exception, message: str) -> None:
    def work() -> None:
        raise failure

    assert str(code_of(work)).startswith(message)


@pytest.mark.parametrize("failure", [OSError("disk full"), MemoryError("disk full")], ids=repr)
def test_a_command_that_does_not_train_names_no_options_of_training(failure: Exception) -> None:
    def work() -> None:
        raise failure

    with pytest.raises(SystemExit, match=r"^made-up: disk full$"):
        command("made-up")(work)()


def test_a_bug_keeps_its_traceback() -> None:
    def work() -> None:
        raise KeyError("unforeseen")

    with pytest.raises(KeyError, match="unforeseen"):
        command("made-up")(work)()
