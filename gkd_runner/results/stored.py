"""Finished runs as they stand on disk. Reading them needs no torch."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gkd_runner.data.task import Replica
from gkd_runner.options.metrics import BESIDE_ACCURACY, selecting_metric
from gkd_runner.options.schema import Config
from gkd_runner.results.diagnostics import Diagnostics
from gkd_runner.results.scores import PartScores, RunResult, Scores, SeedResult, StageResult

RESULT_FORMAT = 5
"""Of ``result.json``; raised when its fields change."""

READABLE = (4, RESULT_FORMAT)
"""The formats that are read; runs of format 4 have recorded no metric beside accuracy."""

DEPTH = 5
"""Folders from ``runs/`` to a run: dataset, protocol and setting, teacher, method, run."""

logger = logging.getLogger("gkd_runner")


@dataclass(frozen=True)
class StoredRun:
    """One ``result.json``: who (``identity``), what (``seeds``), and all else as it was written."""

    path: Path
    key: str
    identity: Mapping[str, str]
    started: str
    seeds: tuple[SeedResult, ...]
    seconds: Mapping[str, float]
    raw: Mapping[str, Any]

    @property
    def teacher_keys(self) -> tuple[str, ...]:
        """The cached teacher of each of ``seeds``."""
        return tuple(entry["teacher_key"] for entry in self.raw["seeds"])

    def method_facts(self, result: SeedResult) -> Mapping[str, Any]:
        """The facts that the method recorded for one of ``seeds``."""
        facts: Mapping[str, Any] = self.raw["method_facts"][self.seeds.index(result)]
        return facts

    @property
    def select_by(self) -> str:
        """The metric that selected the epochs."""
        return selecting_metric(self.raw["hyperparameters"]["changed"])

    @property
    def began(self) -> float:
        """Seconds since the epoch."""
        return datetime.fromisoformat(self.started).timestamp()


def cell_folder(config: Config) -> Path:
    """The folder of a configuration's runs, which have one folder each."""
    return (
        Path(config.output_dir).expanduser()
        / "runs"
        / config.dataset.name
        / f"{config.protocol.name}-{config.setting.name}"
        / config.teacher.name
        / config.method.name
    )


def output_dir_of(run: StoredRun) -> Path:
    """The output folder that the run lies in now."""
    folder = run.path.absolute()
    return Path(folder.anchor, *folder.parts[1 : -DEPTH - 1])


def read_run(path: Path) -> StoredRun | None:
    """The run in folder ``path``; ``None`` when it is not finished or cannot be read.

    What cannot be read, because it is broken or of another version, is named in the log.
    """
    try:
        raw = json.loads((path / "result.json").read_text(encoding="utf-8"))
        if raw["format"] not in READABLE:
            logger.warning(
                "%s has format %s, this version reads %s; run it again",
                path / "result.json", raw["format"], " and ".join(map(str, READABLE)),
            )  # fmt: skip
            return None
        seeds = tuple(_seed(entry) for entry in raw["seeds"])
        where = (raw["key"], raw["identity"], raw["started"])
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        logger.warning("%s is unreadable (%r); run it again", path / "result.json", error)
        return None
    return StoredRun(path, *where, seeds, raw["seconds"], raw)


def read_runs(folder: Path, pattern: str = "*") -> list[StoredRun]:
    """The finished runs in ``folder``, oldest first."""
    runs = [read_run(path.parent) for path in folder.glob(f"{pattern}/result.json")]
    return sorted((run for run in runs if run), key=lambda run: (run.started, run.path.name))


def trains_again(config: Config) -> bool:
    """True if finished runs are ignored (``rerun=true`` or ``cache=refresh``)."""
    return config.rerun or config.cache == "refresh"


def newest_runs(folder: Path, key: str, replicas: Iterable[Replica]) -> dict[Replica, StoredRun]:
    """The newest finished run of ``key`` in ``folder`` for each of ``replicas`` that has one."""
    runs = [run for run in read_runs(folder, f"*-{key[:8]}*") if run.key == key]
    newest = {result.replica: run for run in runs for result in run.seeds}
    return {replica: newest[replica] for replica in replicas if replica in newest}


def lock_file(config: Config, key: str) -> Path:
    """Held while the configuration of ``key`` runs."""
    return Path(config.output_dir).expanduser() / "cache" / "runs" / f"{key}.lock"


def merged(
    config: Config,
    replicas: Iterable[Replica],
    done: Mapping[Replica, StoredRun],
    fresh: Sequence[RunResult],
) -> RunResult:
    """The results of all ``replicas``, in order: those ``done`` and the ``fresh`` ones."""
    runs = list({run.path: run for run in done.values()}.values())
    results = {r.replica: r for run in runs for r in run.seeds if done.get(r.replica) is run}
    results |= {result.replica: result for job in fresh for result in job.seeds}
    seconds = [source.seconds for source in fresh or runs]
    return RunResult(
        config,
        (*(run.path for run in runs), *(path for job in fresh for path in job.paths)),
        tuple(results[replica] for replica in replicas),
        {stage: sum(each[stage] for each in seconds) for stage in seconds[0]},
        fresh[-1].hint if fresh else (),
        reused=len(done),
    )


def provenance(environment: Mapping[str, Any]) -> dict[str, Any]:
    """``commit`` (with ``+`` where files were changed) and ``device`` of an environment."""
    git, device = environment["git"], environment["device"]
    commit = git["commit"] + ("+" if git["dirty"] else "") if git else ""
    return {"commit": commit, "device": device["gpu"] or device["type"]}


def _seed(raw: Mapping[str, Any]) -> SeedResult:
    fields = dict(raw)
    del fields["teacher_key"]
    return SeedResult(
        **fields
        | {
            "teacher": _stage(raw["teacher"]),
            "student": _stage(raw["student"]),
            "diagnostics": Diagnostics(**raw["diagnostics"]),
        }
    )


def _stage(raw: Mapping[str, Any]) -> StageResult:
    scores: dict[str, Any] = {"scores": Scores(**raw["scores"])}
    for metric in BESIDE_ACCURACY:
        if raw.get(metric):
            scores[metric] = PartScores(**raw[metric])
    return StageResult(**{**raw, **scores})
