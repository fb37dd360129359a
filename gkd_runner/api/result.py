"""The results of one job, for notebooks and scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console

from gkd_runner.api.student import load_student
from gkd_runner.common.errors import RunError
from gkd_runner.common.extras import require
from gkd_runner.options.metrics import METRICS
from gkd_runner.predict.student import Student
from gkd_runner.results.frame import table_of_job
from gkd_runner.results.scores import RunResult, column, table
from gkd_runner.runs.display import report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Result:
    """The result of ``train``: numbers, figures and students of every seed and split.

    Printed, it is the closing table of ``gkd-train``.
    """

    job: RunResult

    @property
    def paths(self) -> tuple[Path, ...]:
        """The folders of the runs, one per split, or more where earlier runs were continued."""
        return self.job.paths

    def to_dataframe(self) -> pd.DataFrame:
        """A row per seed and split, with the columns of ``runs.csv``; accuracies are in [0, 1]."""
        return table_of_job(self.job)

    @property
    def _metric(self) -> str:
        return self.job.config.training.select_by

    @property
    def means(self) -> pd.DataFrame:
        """Mean and population std of each accuracy: ``means_of("accuracy")``."""
        return self.means_of("accuracy")

    def means_of(self, metric: str) -> pd.DataFrame:
        """Mean and population std of ``accuracy``, ``macro_f1`` or ``roc_auc``, in [0, 1].

        They are over seeds and splits. Rows are ``teacher`` and ``student``; columns are pairs of
        the nodes (``val``, ``test``, ``test_observed``, ``test_hidden``) and ``mean`` or ``std``.
        A setting without hidden nodes has no numbers for these, and a graph of more than two
        classes none of ``roc_auc``. Raises ``ValueError`` for any other metric.
        """
        if metric not in METRICS:
            raise ValueError(f"metric {metric!r} is not one of {', '.join(METRICS)}")
        rows = {
            stage: {
                (part, name): (summary or {}).get(name)
                for part, summary in parts.items()
                for name in ("mean", "std")
            }
            for stage, parts in table(self.job.seeds, metric).items()
        }
        return pd.DataFrame(rows).T.astype("float64")

    def student(self, seed: int | None = None, split: int | None = None) -> Student:
        """The trained student of ``seed`` and ``split``.

        Of several, as where one of these is not given, it is the best by the validation score that
        selected its epochs. Raises ``RunError`` if there is none.
        """
        score = column("student", "val", self._metric)
        rows = self.to_dataframe().sort_values(score, ascending=False, kind="stable")
        for row in rows.itertuples():
            if seed in (None, row.seed) and split in (None, row.split):
                return load_student(row.folder, int(row.seed))
        asked = " and ".join(
            f"{name} {number}"
            for name, number in (("seed", seed), ("split", split))
            if number is not None
        )
        have = ", ".join(f"seed {r.seed} split {r.split}" for r in self.job.seeds)
        raise RunError(f"there is no student of {asked}; there are {have}")

    def plot(self) -> Figure:
        """A dot per seed and split, with their mean: test score of teacher and student.

        The score is by the metric that selected the epochs, in the inductive setting on hidden
        nodes. Raises ``GkdError`` where
        matplotlib is missing.
        """
        require("plot", "plot", "matplotlib")
        from gkd_runner.api.plot import figure

        return figure(self.job)

    def __str__(self) -> str:
        console = Console(width=100, highlight=False)
        with console.capture() as capture:
            console.print(report(self.job))
        return capture.get().rstrip()

    def _repr_html_(self) -> str:
        """The means in percent, of the metric that selected the epochs, for notebooks."""
        name = None if self._metric == "accuracy" else METRICS[self._metric].title
        means = self.means_of(self._metric).rename_axis(name)
        percent = means.dropna(axis=1, how="all") * 100
        html: str = percent.to_html(float_format="{:.2f}".format)
        return html
