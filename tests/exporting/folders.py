"""Runs and exported students that several tests share."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from support import Done, small_run

from gkd_runner.exporting.export import Exported, Options, export_run


def run_of(folder: Path, method: str, *overrides: str) -> Path:
    """The folder of a finished run of ``method`` on 300 nodes, seeds 3 and 4."""
    return small_run(folder, f"method={method}", *overrides)


def exported(run: Path, out: Path, **options: Any) -> Exported:
    """Export without measuring times."""
    return export_run(run, out, Options(**{"measures": False, **options}))


def called(
    monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], name: str, *arguments: object
) -> Done:
    """Run a command in this process."""
    out, err, code = io.StringIO(), io.StringIO(), None
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    if isinstance(code, str):
        err.write(code)
    return Done(int(bool(code)), out.getvalue(), err.getvalue())
