"""Finished runs as they stand on disk. Reading them needs no torch.

``result.json`` has its own checksum and those of all other files of its run.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NoReturn

from gkd_runner.common.checksums import CHECKSUM, FILES, check_listed, check_seal
from gkd_runner.common.errors import DamageError
from gkd_runner.data.task import Replica
from gkd_runner.options.metrics import BESIDE_ACCURACY, selecting_metric
from gkd_runner.options.schema import Config
from gkd_runner.results.diagnostics import Diagnostics
from gkd_runner.results.scores import PartScores, RunResult, Scores, SeedResult, StageResult
from gkd_runner.results.written import TEACHER_KEY, problems
from gkd_runner.training.failures import SeedFailure

RESULT_FILE, CONFIG_FILE, METRICS_FILE = "result.json", "config.yaml", "metrics.jsonl"
GRAPH_FILE = "graph.npz"
"""The files of a run's folder beside its students."""

RESULT_FORMAT = 6
"""Of ``result.json``; raised when its fields change."""

UNSEALED = (4, 5)
"""Formats without checksums, which are read all the same.

Runs of format 4 have recorded no metric beside accuracy.
"""

DEPTH = 5
"""Folders from ``runs/`` to a run: dataset, protocol and setting, teacher, method, run."""

FOLDER = re.compile(r"(?P<time>\d{8}-\d{6})-(?P<key>[0-9a-f]{8})(-[0-9a-f]{4})?")
"""The name that a run gives its folder, which may be renamed: time and key."""

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
    def is_sealed(self) -> bool:
        """True if the run has checksums, as those of this version do."""
        return CHECKSUM in self.raw

    def check_file(self, name: str) -> None:
        """Raise ``DamageError`` if the file of this name is not as the run wrote it.

        Files of a run without checksums are not checked. Raises ``OSError`` for a file that cannot
        be read.
        """
        if self.is_sealed:
            check_listed(self.path, name, self.raw[FILES])

    @property
    def teacher_keys(self) -> tuple[str, ...]:
        """The cached teacher of each of ``seeds``."""
        return tuple(entry[TEACHER_KEY] for entry in self.raw["seeds"])

    def method_facts(self, result: SeedResult) -> Mapping[str, Any]:
        """The facts that the method recorded for one of ``seeds``."""
        facts: list[Mapping[str, Any]] = self.raw.get("method_facts", [])
        return facts[self.seeds.index(result)] if facts else {}

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


def stamp(started: datetime) -> str:
    """The time in the name of a run's folder."""
    return started.strftime("%Y%m%d-%H%M%S")


def student_file(seed: int) -> str:
    """The name of the file of a seed's student."""
    return f"student-{seed}.safetensors"


def student_key(run_key: str, seed: int) -> str:
    """The key of a student in its file."""
    return f"{run_key}/{seed}"


def read_run(path: Path) -> StoredRun | None:
    """The run in folder ``path``; ``None`` when it is not finished or cannot be used.

    What cannot be used, because it is damaged or of another version, is named in the log.
    """
    try:
        return load_run(path)
    except FileNotFoundError:
        return None
    except DamageError as error:
        _warn_once(
            f"{path / RESULT_FILE} cannot be used ({error}); delete its folder, and run it again"
        )
        return None


def load_run(path: Path) -> StoredRun:
    """The run in folder ``path``.

    Raises ``DamageError`` if its result is damaged or of another version, and ``FileNotFoundError``
    if it is not finished.
    """
    raw = _content(path / RESULT_FILE)
    named = FOLDER.fullmatch(path.name)
    if named and not raw["key"].startswith(named["key"]):
        raise DamageError(f"it is the result of another run, of the key {raw['key'][:8]}")
    if named and stamp(datetime.fromisoformat(raw["started"])) != named["time"]:
        raise DamageError(f"it is the result of another run, which began at {raw['started']}")
    seeds = tuple(_seed(entry) for entry in raw["seeds"])
    return StoredRun(path, raw["key"], raw["identity"], raw["started"], seeds, raw["seconds"], raw)


def _content(file: Path) -> dict[str, Any]:
    """The content of ``result.json``, checked."""
    try:
        return _checked(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise DamageError(f"it is damaged: {error}") from error


@lru_cache(maxsize=1024)  # a sweep reads the results of its cells again and again
def _checked(text: str) -> dict[str, Any]:
    """The content of ``result.json`` in ``text``, not to be changed."""
    raw = json.loads(text, parse_constant=_refused)
    version = raw.get("format") if isinstance(raw, dict) else None
    if version not in (*UNSEALED, RESULT_FORMAT):
        readable = ", ".join(map(str, (*UNSEALED, RESULT_FORMAT)))
        raise DamageError(f"it has format {version!r}, this version reads {readable}")
    if version == RESULT_FORMAT or CHECKSUM in raw:
        check_seal(raw)
    for problem in problems(raw):
        raise DamageError(problem)
    content: dict[str, Any] = raw
    return content


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def read_runs(folder: Path, pattern: str = "*") -> list[StoredRun]:
    """The finished runs in ``folder``, oldest first; says once if some have no checksums."""
    found = [read_run(path.parent) for path in folder.glob(f"{pattern}/{RESULT_FILE}")]
    runs = [run for run in found if run]
    if not all(run.is_sealed for run in runs):
        warn_of_unsealed("runs of formats 4 and 5")
    return sorted(runs, key=lambda run: (run.started, run.path.name))


def warn_of_unsealed(what: str) -> None:
    """Say, the first time in this process, that files of earlier versions are not checked."""
    _warn_once(
        f"{what}: earlier versions wrote no checksums, so that damage goes unnoticed; run again"
        " with rerun=true to have them"
    )


@cache
def _warn_once(text: str) -> None:
    """Log a warning that several steps of one command may come upon."""
    logger.warning("%s", text)


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
    failures: Iterable[SeedFailure] = (),
) -> RunResult:
    """The results of ``replicas``, in order: those ``done`` and the ``fresh`` ones.

    ``failures`` are those of jobs without any result.
    """
    runs = list({run.path: run for run in done.values()}.values())
    results = {r.replica: r for run in runs for r in run.seeds if done.get(r.replica) is run}
    results |= {result.replica: result for job in fresh for result in job.seeds}
    seconds = [source.seconds for source in fresh or runs]
    return RunResult(
        config,
        (*(run.path for run in runs), *(path for job in fresh for path in job.paths)),
        tuple(results[replica] for replica in replicas if replica in results),
        {stage: sum(each[stage] for each in seconds) for stage in seconds[0]},
        fresh[-1].hint if fresh else (),
        reused=len(done),
        failures=(*failures, *(failure for job in fresh for failure in job.failures)),
    )


def provenance(environment: Mapping[str, Any]) -> dict[str, Any]:
    """``commit`` (with ``+`` where files were changed) and ``device`` of an environment."""
    git, device = environment["git"], environment["device"]
    commit = git["commit"] + ("+" if git["dirty"] else "") if git else ""
    return {"commit": commit, "device": device["gpu"] or device["type"]}


def _seed(raw: Mapping[str, Any]) -> SeedResult:
    fields = dict(raw)
    del fields[TEACHER_KEY]
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
