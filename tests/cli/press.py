"""Run gkd-train and signal it at given moments: ``python press.py SIGTERM@epoch,close ARGUMENTS``.

Several signals, ``SIGTERM+SIGINT@epoch,close``, come one after the other, the last one again. A
moment is ``import:<module>``, ``epoch`` (the second that is recorded), ``close`` (of the run's
record) or ``exit`` (of the interpreter).
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import Any

SIGNALS: list[signal.Signals] = []


def press(*_: Any) -> None:
    os.kill(os.getpid(), SIGNALS.pop(0) if len(SIGNALS) > 1 else SIGNALS[0])


class PressOnImport:
    """Looks for no module; presses when one of ``names`` is looked for."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, name: str, *_: Any) -> None:
        if name in self.names:
            self.names.remove(name)
            press()


def press_in_record(moments: set[str]) -> None:
    from gkd_runner.runs.record import Record

    epoch, close, epochs = Record.epoch, Record.close, iter((False, "epoch" in moments))

    def pressed_epoch(*arguments: Any) -> None:
        epoch(*arguments)
        if next(epochs, False):
            press()

    def pressed_close(self: Record) -> None:
        if "close" in moments:
            press()
        close(self)

    Record.epoch, Record.close = pressed_epoch, pressed_close  # type: ignore[method-assign]


if __name__ == "__main__":
    names, _, listed = sys.argv.pop(1).partition("@")
    SIGNALS += [signal.Signals[name] for name in names.split("+")]
    moments = set(listed.split(","))
    if "exit" in moments:
        atexit.register(press)
    if imports := {moment.partition(":")[2] for moment in moments if moment.startswith("import:")}:
        sys.meta_path.insert(0, PressOnImport(imports))  # type: ignore[arg-type]
    else:
        press_in_record(moments)
    from gkd_runner.cli.train import main

    main()
