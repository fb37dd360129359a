"""Which run is meant by one or several folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gkd_runner.common.errors import ConfigError
from gkd_runner.options.metrics import METRICS
from gkd_runner.results.scores import STAGES, summarize
from gkd_runner.results.stored import StoredRun, read_run

SHOWN = 8
"""Runs, at most, that a message lists."""


def find_run(folders: Sequence[Path]) -> Path:
    """The folder of the only finished run in or below ``folders``.

    A single folder without one is returned as it is; reading it says what it lacks. Raises
    ``ConfigError`` for several runs, with the newest of them, and for several folders without any.
    """
    if len(folders) == 1 and (folders[0] / "config.yaml").is_file():
        return folders[0]
    files = {file for folder in folders for file in folder.expanduser().rglob("result.json")}
    runs = [run for file in sorted(files) if (run := read_run(file.parent))]
    if len(runs) == 1:
        return runs[0].path
    given = ", ".join(map(str, folders[:3])) + (", ..." if folders[3:] else "")
    if runs:
        raise ConfigError([_several(given, runs)])
    if len(folders) > 1:
        raise ConfigError([f"no finished run in {given}; give the folder of one"])
    return folders[0]


def _several(given: str, runs: Sequence[StoredRun]) -> str:
    newest = sorted(runs, key=lambda run: run.began, reverse=True)
    which = f"the newest {SHOWN}, newest first" if runs[SHOWN:] else "newest first"
    lines = "".join(f"\n  {_line(run)}" for run in newest[:SHOWN])
    return f"{len(runs)} finished runs in {given}; give one of them ({which}):{lines}"


def _line(run: StoredRun) -> str:
    splits = ", ".join(str(split) for split in sorted({seed.split for seed in run.seeds}))
    method, metric = run.identity["method"], METRICS[run.select_by].title
    found = summarize(run.seeds, STAGES["student"], "test", run.select_by)
    score = f"test {metric} {100 * found.mean:.2f}%" if found else f"no test {metric}"
    return f"{run.path}  split {splits}  {method}  {score}"
