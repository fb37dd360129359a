"""Runs and exported students that several tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import small_run

from gkd_runner.exporting.export import Exported, Options, export_run


def run_of(folder: Path, method: str, *overrides: str) -> Path:
    """The folder of a finished run of ``method`` on 300 nodes, seeds 3 and 4."""
    return small_run(folder, f"method={method}", *overrides)


def exported(run: Path, out: Path, **options: Any) -> Exported:
    """Export without measuring times."""
    return export_run(run, out, Options(**{"measures": False, **options}))
