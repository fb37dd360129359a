"""MkDocs hook: writes commands.md, the ``--help`` of every installed command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
_SCRIPT = re.compile(r'^(gkd-[a-z-]+) = "([\w.]+):main"$', re.MULTILINE)

INTRODUCTION = """\
# Commands

The `--help` of every command. The options that `gkd-train` and others take are those of the
[configuration](configuration.md).
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, "commands.md", content=commands()))
    return files


def commands() -> str:
    """The page as Markdown."""
    scripts = _SCRIPT.findall((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return INTRODUCTION + "".join(
        f"\n## {name}\n\n```text\n{_help(module)}\n```\n" for name, module in scripts
    )


def _help(module: str) -> str:
    environment = {**os.environ, "COLUMNS": "96", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout.strip()
