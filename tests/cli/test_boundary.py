"""Every command leaves by the same way: failures in a line, interrupts with 130."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest

from gkd_runner.cli.boundary import INTERRUPTED, command
from gkd_runner.common.errors import ConfigError, GkdError


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
    assert code_of(press) == INTERRUPTED == 130
    assert capsys.readouterr().err == ("made-up: interrupted; the same command goes on from here\n")


def test_more_interrupts_do_not_cut_the_cleaning_up_short() -> None:
    cleaned = []

    def work() -> None:
        try:
            press()
            work_forever()
        finally:
            press()
            press()
            cleaned.append("all")

    assert code_of(work) == INTERRUPTED
    assert cleaned == ["all"]


class Swallows:
    """Python drops an exception that is raised in a destructor."""

    def __del__(self) -> None:
        press()


def test_an_interrupt_that_meets_a_destructor_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # pytest's keeps exceptions

    def work() -> None:
        Swallows()
        work_forever()

    assert code_of(work) == INTERRUPTED


def test_an_interrupt_that_a_library_swallows_counts() -> None:
    def work() -> None:
        for _ in range(3):
            with contextlib.suppress(BaseException):
                press()
                work_forever()
        work_forever()

    assert code_of(work) == INTERRUPTED


def test_an_interrupt_that_a_library_turns_into_another_exception_counts() -> None:
    def work() -> None:
        try:
            press()
        except KeyboardInterrupt as error:
            raise ImportError("numpy is broken") from error

    assert code_of(work) == INTERRUPTED


def test_an_interrupt_after_the_work_is_done_is_ignored() -> None:
    assert command("made-up")(lambda: "whole")() == "whole"
    press()


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
