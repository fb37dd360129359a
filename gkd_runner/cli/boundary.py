"""The way out of every command: a failure in one line, and SIGINT at any moment."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from gkd_runner.common.errors import GkdError, explain
from gkd_runner.common.processes import leave_to_first, started

P = ParamSpec("P")
R = TypeVar("R")

INTERRUPTED = 130
"""Exit code of a command that SIGINT ended: 128 + its number, as in a shell."""
RETRY_S = 0.1
"""Time that a destructor gets to end before an interrupt that it swallowed is raised again."""


def command(name: str, *, resumes: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate the main function of the command ``name``.

    On SIGINT the command closes what is open and exits with code ``INTERRUPTED``; meanwhile it
    ignores further SIGINTs. An expected error exits with code 1 and a message with the cause; a bug
    shows its traceback. Once the function has returned, its work is complete and SIGINT is ignored.

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
                        result = main(*args, **kwargs)
                finally:
                    interrupts.ignore()
            except KeyboardInterrupt:
                interrupts.happened = True
            except BaseException:  # an interrupt may have become another exception on its way
                if not interrupts.happened:
                    raise
            if interrupts.happened:
                interrupts.ignore()
                then = "; the same command goes on from here" if resumes else ""
                if started().first:
                    print(f"{name}: interrupted{then}", file=sys.stderr)
                sys.exit(INTERRUPTED)
            return result

        return run

    return decorate


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
    """In a launcher's process: let SIGINT interrupt the block once, and ignore it afterwards.

    The command's own process, whose handler does more, is left as it is.
    """

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    own = threading.current_thread() is threading.main_thread()
    if own and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    yield


class _Interrupt(KeyboardInterrupt):
    """An interrupt that has itself raised again when it is deleted before the command has seen it.

    It is deleted early where a destructor or a bare ``except:`` swallows it.
    """

    def __init__(self, interrupts: _Interrupts) -> None:
        super().__init__()
        interrupts.raised = weakref.ref(self, interrupts.raise_soon)


class _Interrupts:
    """Raises one ``KeyboardInterrupt`` for all SIGINTs, and again until it reaches the command."""

    def __init__(self) -> None:
        self.happened = False
        self.over = False
        self.raised: Callable[[], object] = lambda: None
        self._handle_by(self._raise_once)

    def ignore(self) -> None:
        """Ignore SIGINT from now on; unlike a handler, this holds while Python exits."""
        self.over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._handle_by(signal.SIG_IGN)

    def raise_soon(self, _: object = None) -> None:
        """Raise once whatever runs now, which swallows exceptions, has ended."""
        if not self.over:
            signal.setitimer(signal.ITIMER_REAL, RETRY_S)

    def _raise_once(self, *_: object) -> None:
        if self.raised() is None:
            self.happened = True
            raise _Interrupt(self)

    def _handle_by(self, handler: Callable[..., object] | signal.Handlers) -> None:
        for number in (signal.SIGINT, signal.SIGALRM):
            signal.signal(number, handler)
