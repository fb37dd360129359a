"""The runs of a job or a sweep beside the finished baseline that they can be paired with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gkd_runner.common.lazy import pd
from gkd_runner.data.task import Replica
from gkd_runner.options.metrics import selecting_metric
from gkd_runner.results.compare import Difference, baseline, paired_by_split
from gkd_runner.results.frame import newest, rows_of, table_of, table_of_job
from gkd_runner.results.scores import RunResult
from gkd_runner.results.selection import with_scores
from gkd_runner.results.stored import StoredRun, read_runs
from gkd_runner.results.verdict import Verdict, verdicts_of

ALIKE = [
    "dataset", "graph", "protocol", "setting", "teacher", "preset", "options", "lesson",
    "seed", "split", "split_hash",
]  # fmt: skip
"""Columns in which a replica of a method equals the baseline's that it is compared with."""


def verdict_on(result: RunResult) -> list[Verdict]:
    """The verdict on a job's own method, beside the finished baseline; none without its folders."""
    return verdicts_of(with_baseline(table_of_job(result)))


def chosen(runs: Mapping[Replica, StoredRun]) -> pd.DataFrame:
    """The table of these replicas, each from its run."""
    return table_of(row for replica, run in runs.items() for row in rows_of(run, {replica}))


def with_baseline(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs, and those of the baseline that had finished, where they have none of their own.

    Only the folders beside those of ``runs`` are read. A baseline's replica counts if one of
    ``runs`` has the same seed and split under the same options, but for the method's own.
    """
    methods = {Path(folder).parent for folder in runs["folder"]}
    folders = sorted({method.with_name(baseline()) for method in methods} - methods)
    finished = [run for folder in folders for run in read_runs(folder)]
    theirs = newest(table_of(row for run in finished for row in rows_of(run)))
    shared = _alike(theirs).merge(_alike(runs)[ALIKE].drop_duplicates(), on=ALIKE)
    return pd.concat([runs, shared[list(runs.columns)]], ignore_index=True)


def against_baseline(ours: pd.DataFrame, runs: pd.DataFrame) -> Difference | None:
    """The students of ``ours`` minus those of the baseline in ``runs``, as in ``with_scores``.

    They are compared by the metric that selected the epochs of ``ours``, one configuration.
    ``None`` without a replica of both, and for the baseline itself.
    """
    if set(ours["method"]) == {baseline()}:
        return None
    metric = selecting_metric(ours["changed"].iloc[0])
    theirs = newest(runs[runs["method"] == baseline()])
    both = [_alike(with_scores(rows, metric=metric)) for rows in (ours, theirs)]
    pairs = pd.merge(*both, on=ALIKE, suffixes=("", "_base"))
    gaps = pairs.assign(gap=pairs["student_score"] - pairs["student_score_base"])
    gaps = gaps.dropna(subset="gap")
    return None if gaps.empty else paired_by_split(gaps)


def _alike(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the columns ``options`` and ``lesson``.

    Under ``preset=common`` the methods of a table share their teachers (``select``): there the
    teacher is the lesson.
    """
    common = runs["preset"] == "common"
    return runs.assign(
        options=[_options(changed) for changed in runs["changed"]],
        lesson=runs["teacher_key"].where(common, ""),
    )


def _options(changed: Mapping[str, Any]) -> str:
    """The changed options but for the method's own, as one text."""
    others = {name: value for name, value in changed.items() if not name.startswith("method.")}
    return json.dumps(others, sort_keys=True)
