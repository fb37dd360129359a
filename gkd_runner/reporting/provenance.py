"""The runs behind the numbers, and the failures of sweeps."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from gkd_runner.reporting.text import source_text, spans_text
from gkd_runner.results.identity import NAMES
from gkd_runner.sweeps.folder import read_failures


def provenance(runs: pd.DataFrame, out: Path) -> list[dict[str, Any]]:
    """One entry per run: its seeds, commit, seconds, command and the path of its ``result.json``.

    Paths are relative to folder ``out``; a run that is known only from a CSV has no path.
    """
    rows = []
    for run, seeds in runs.groupby("run", sort=False):
        first = seeds.iloc[0].to_dict()
        seconds = seeds["teacher_seconds"].fillna(0) + seeds["student_seconds"]
        rows.append({
            "run": run,
            "seeds": spans_text(map(int, seeds["seed"])) + _split(first["split"]),
            "seconds": f"{seconds.sum():.0f}",
            "commit": first["commit"][:12],
            "hyperparameters": source_text(first),
            "command": first["command"],
            "result": first["folder"] and relative(Path(first["folder"]) / "result.json", out),
        })  # fmt: skip
    return rows


def _split(number: int) -> str:
    """The mark of a run on another split than the first; a run has one split."""
    return f" (split {number})" if number else ""


def relative(path: Path, out: Path) -> str:
    """The path as a page in folder ``out`` links to it."""
    return Path(os.path.relpath(path, out)).as_posix()


def read_all_failures(sources: Iterable[Path]) -> pd.DataFrame:
    """A row per failure of a sweep in output folders ``sources``, with the fields of ``Failure``.

    The names of the configuration are columns of their own.
    """
    failures = [
        asdict(failure) | failure.identity | {"cause": failure.one_line}
        for source in sources
        for sweep in sorted(source.glob("sweeps/*"))
        for failure in read_failures(sweep)
    ]
    frame = pd.DataFrame(failures, columns=[*NAMES, "seeds", "cause", "time", "log"])
    return frame.astype(dict.fromkeys(NAMES, "string"))
