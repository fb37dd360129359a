"""One file of every kind that gkd-runner reads again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna

from gkd_runner.config.build import compose
from gkd_runner.data.npz import save_npz
from gkd_runner.data.synthetic import synthetic
from gkd_runner.data.task import Replica
from gkd_runner.exporting.export import Options, export_run
from gkd_runner.options.schema import Config
from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.reporting.render import write_tables
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import load_runs
from gkd_runner.runs.train import train
from gkd_runner.studies import STUDIES
from gkd_runner.studies.measurements import Measurements, type_of
from gkd_runner.sweeps.folder import Planned, Sweep, begin
from gkd_runner.sweeps.trials import open_study

OPTIONS = (
    *("dataset=synthetic", "dataset.nodes=120", "dataset.features=24"),
    *("protocol.train_per_class=5", "protocol.val_size=30", "protocol.test_size=50"),
    *("method=infgrand", "setting=inductive", "preset=none", "tracker=none"),
    *("teacher.hidden_dim=16", "training.max_epochs=6", "training.patience=5"),
)
"""A job that takes a second."""

STUDY = "ablation"


@dataclass(frozen=True)
class Written:
    """A folder with the files that a run of two seeds, an export and other commands have left.

    Attributes:
        folder: the folder of all.
        seeds: the seeds of the run.
        run: the run's folder.
        sweep: a sweep with one failure.
    """

    folder: Path
    seeds: tuple[int, int]
    run: Path
    sweep: Sweep

    @property
    def outputs(self) -> Path:
        """The run's ``output_dir``."""
        return self.folder / "outputs"

    @property
    def exported(self) -> Path:
        """The exported student of the first seed."""
        return self.folder / "exported"

    @property
    def tables(self) -> Path:
        """What gkd-tables has written."""
        return self.folder / "tables"

    @property
    def graph(self) -> Path:
        """A graph in ``data_dir``."""
        return self.folder / "data" / "mine.npz"

    @property
    def search(self) -> Path:
        """The trials of a search."""
        return self.outputs / "searches" / f"synthetic-{self.seeds[0]}.jsonl"

    @property
    def study(self) -> Measurements:
        """The measurements of a study."""
        return STUDIES[STUDY].measurements(STUDY, self.outputs)

    @cached_property
    def teachers(self) -> list[Path]:
        """The cached teachers of both seeds."""
        result = json.loads((self.run / "result.json").read_text(encoding="utf-8"))
        folder = self.outputs / "cache" / "teachers"
        return [folder / f"{seed['teacher_key']}.safetensors" for seed in result["seeds"]]


def settings(seeds: Sequence[int], outputs: Path) -> Config:
    """The configuration of the run."""
    return compose([*OPTIONS, f"seeds={list(seeds)}", f"output_dir={outputs}"])


def write(folder: Path, seeds: tuple[int, int] = (3, 4)) -> Written:
    """Train, export, make tables, measure, search and fail, all in a few seconds."""
    outputs, (first, _) = folder / "outputs", seeds
    config = settings(seeds, outputs)
    run = train(config).path
    shutil.copyfile(run / "graph.npz", run / "copy")  # the cache has a hard link to it
    (run / "copy").replace(run / "graph.npz")
    export_run(run, folder / "exported", Options(seed=first, measures=False))
    write_tables(compare(load_runs([outputs])), read_all_failures([]), folder / "tables")
    cell = Planned(f"seeds={first}", "synthetic", str(run.parent), "0" * 64,
                   (Replica(first, 0),), done=False, again=False)  # fmt: skip
    sweep = begin(outputs, [cell])
    sweep.record_failure(0, config, ValueError(f"seed {first} has no edges"))
    made = Written(folder, seeds, run, sweep)
    made.graph.parent.mkdir()
    save_npz(synthetic(150, classes=3, features=30, seed=first), made.graph)
    _measure(made.study, first)
    _search(made.search, first)
    return made


def _measure(study: Measurements, seed: int) -> None:
    values: dict[str, Any] = {"Int64": seed, "float64": seed / 7, "string": f"text {seed}"}
    rows = [{name: values[type_of(name)] for name in study.form.columns}]
    study.path.parent.mkdir(parents=True)
    study.add(study.form.table(rows))


def _search(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = open_study(path)
    for value in (seed / 10, seed / 9):
        trial = study.ask({"method.tau": optuna.distributions.FloatDistribution(0.5, 3.0)})
        trial.set_user_attr("options", [f"method.tau={value}"])
        trial.set_user_attr("runs", [f"/runs/{seed}"])
        study.tell(trial, value)
