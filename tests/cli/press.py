"""Run gkd-train and press Ctrl-C at given moments: ``python press.py epoch,close,exit ARGUMENTS``.

A moment is ``import:<module>``, ``epoch`` (the second that is recorded), ``close`` (of the run's
record) or ``exit`` (of the interpreter).
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import Any


def press(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)


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
    moments = set(sys.argv.pop(1).split(","))
    if "exit" in moments:
        atexit.register(press)
    if imports := {moment.partition(":")[2] for moment in moments if moment.startswith("import:")}:
        sys.meta_path.insert(0, PressOnImport(imports))  # type: ignore[arg-type]
    else:
        press_in_record(moments)
    from gkd_runner.cli.train import main

    main()
