"""The way out of every command: a failure in one line, and signals at any moment."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from gkd_runner.common.errors import GkdError, explain
from gkd_runner.common.processes import ENDED, leave_to_first, started

P = ParamSpec("P")
R = TypeVar("R")
Handler = Callable[[int, Any], object] | int | None

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a command: Ctrl-C's, schedulers' before they kill, a closed terminal's."""
SIGNALLED = 128
"""Added to the number of the signal that ended a command, this is its exit code, as in a shell."""
RETRY_S = 0.1
"""Time that a destructor gets to end before an interrupt that it swallowed is raised again."""


def command(name: str, *, resumes: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate the main function of the command ``name``.

    On one of the signals ``ENDING`` the command closes what is open and exits with code
    ``SIGNALLED`` + its number; meanwhile it ignores further ones. An expected error exits with code
    1 and a message with the cause; a bug shows its traceback. Once the function has returned, its
    work is complete and signals are ignored.

    Args:
        name: the name of the command, with which its messages begin.
        resumes: True if the same command, run again, continues where it was interrupted, as all
            that train do; their failures name options of training.
    """

    def decorate(main: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(main)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            interrupts = _Interrupts()
            # OpenMP reads it as torch is imported: threads that wait sleep instead of spinning,
            # which costs little on an idle machine and saves much beside another busy process
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            try:
                try:
                    with failures_told(name, trains=resumes):
                        _check_working_directory()
                        result = main(*args, **kwargs)
                finally:
                    interrupts.ignore()
            except KeyboardInterrupt:
                interrupts.by = interrupts.by or signal.SIGINT
            except BaseException:  # an interrupt may have become another exception on its way
                if not interrupts.by:
                    raise
            if interrupts.by:
                interrupts.ignore()
                then = "; the same command goes on from what is finished" if resumes else ""
                if started().first:
                    print(f"{name}: {_cause(interrupts.by)}{then}", file=sys.stderr)
                sys.exit(SIGNALLED + interrupts.by)
            return result

        return run

    return decorate


def _cause(number: int) -> str:
    """The cause that ended the command, by the number of the signal."""
    if number == signal.SIGTERM and started().size > 1:
        return ENDED
    return "interrupted" + (f" by {signal.Signals(number).name}" if number != signal.SIGINT else "")


def _check_working_directory() -> None:
    """Raise ``GkdError`` if it was deleted: Hydra, Intel's MKL and others break off without it."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise GkdError("the working directory was deleted; go to another one (cd)") from error


@contextmanager
def failures_told(name: str, *, trains: bool = True) -> Iterator[None]:
    """Exit with 1 and one message for a failure that is no bug."""
    try:
        yield
    except Exception as failure:
        text = explain(failure, trains=trains)
        if text is None:
            raise
        if isinstance(failure, GkdError):
            leave_to_first()
        sys.exit(f"{name}: {text}")


@contextmanager
def one_interrupt() -> Iterator[None]:
    """In a launcher's process: let a signal interrupt the block once, and ignore all afterwards.

    Signals that have another handler than Python's are left as they are: those of the command's own
    process, whose handler does more, and those that the launcher handles.
    """
    before = {
        number: handler
        for number in ENDING
        if (handler := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler)
    }

    def interrupt(*_: object) -> None:
        _handle(before, signal.SIG_IGN)
        raise KeyboardInterrupt

    own = threading.current_thread() is threading.main_thread()
    if own:
        _handle(before, interrupt)
    yield
    for number, handler in before.items() if own else ():
        signal.signal(number, handler)


def _handle(numbers: Iterable[int], handler: Handler) -> None:
    for number in numbers:
        signal.signal(number, handler)


class _Interrupt(KeyboardInterrupt):
    """An interrupt that has itself raised again when it is deleted before the command has seen it.

    It is deleted early where a destructor or a bare ``except:`` swallows it.
    """

    def __init__(self, interrupts: _Interrupts) -> None:
        super().__init__()
        interrupts.raised = weakref.ref(self, interrupts.raise_soon)


class _Interrupts:
    """Raises one ``KeyboardInterrupt`` for all signals, and again until it reaches the command.

    ``by`` is the number of the first signal.
    """

    def __init__(self) -> None:
        self.by = 0
        self.over = False
        self.raised: Callable[[], object] = lambda: None
        self._numbers = (*filter(_is_ours, ENDING), signal.SIGALRM)
        _handle(self._numbers, self._raise_once)

    def ignore(self) -> None:
        """Ignore signals from now on; unlike a handler, this holds while Python exits."""
        self.over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        _handle(self._numbers, signal.SIG_IGN)

    def raise_soon(self, _: object = None) -> None:
        """Raise once whatever runs now, which swallows exceptions, has ended."""
        if not self.over:
            signal.setitimer(signal.ITIMER_REAL, RETRY_S)

    def _raise_once(self, number: int, _: object) -> None:
        if self.raised() is None:
            self.by = self.by or number
            raise _Interrupt(self)


def _is_ours(number: int) -> bool:
    """True if this process handles the signal: always SIGINT, others unless they stay as they are.

    Under torchrun the processes but the first wait for it in code that lets no handler run. What is
    ignored, as SIGHUP by nohup, stays ignored; shells ignore SIGINT for all that runs in the
    background.
    """
    ignored = signal.getsignal(number) is signal.SIG_IGN
    return number == signal.SIGINT or (started().first and not ignored)
