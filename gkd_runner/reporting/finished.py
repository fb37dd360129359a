"""The tables of all finished runs of an output folder, beside them."""

from __future__ import annotations

from pathlib import Path

from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.reporting.render import write_tables
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import load_runs


def write_finished(output_dir: Path) -> list[Path]:
    """Write ``<output_dir>/tables``; the files written, none where no run has finished."""
    runs = load_runs([output_dir]) if (output_dir / "runs").is_dir() else ()
    if not len(runs):
        return []
    return write_tables(compare(runs), read_all_failures([output_dir]), output_dir / "tables")
