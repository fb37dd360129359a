"""Runs an installed command in this process, which has imported torch already."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

from tests.docs.markdown import ROOT

SCRIPTS = dict(
    re.findall(
        r'^(gkd-[a-z-]+) = "([\w.]+):main"$',
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)
"""The module of every command."""


def run_here(words: list[str]) -> str:
    """What the command prints; fails where the command fails.

    ``*`` is expanded as in a shell; of several folders of runs the newest is taken.
    """
    words = [
        max(map(str, Path().glob(word)), default=word) if "*" in word else word for word in words
    ]
    main = import_module(SCRIPTS[words[0]]).main
    out, code = io.StringIO(), None
    with patch.object(sys, "argv", words), redirect_stdout(out), redirect_stderr(out):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    assert not code, f"{' '.join(words)}\nexit code: {code}\n{out.getvalue()}"
    return out.getvalue()
