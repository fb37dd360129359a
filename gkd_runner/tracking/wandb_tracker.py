"""Weights & Biases: one run per seed, all seeds of a configuration in one group."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from gkd_runner.tracking.base import RunIdentity, cause_of, import_backend, logger
from gkd_runner.tracking.metrics import STAGES

if TYPE_CHECKING:
    import wandb

# A job waits for a server that does not answer once as its runs are opened, and once as they end,
# all at the same time: at most 8 s in all.
INIT_TIMEOUT_S = 4.0
FINISH_TIMEOUT_S = 4.0
CURVES = frozenset(name for stage in STAGES.values() for name in stage.curves)


class WandbTracker:
    """Tracks with W&B; without a key, or without a connection, offline.

    W&B writes to files all that it is told, so that what a server did not take can be uploaded
    later; warnings name the command.

    Args:
        directory: the job's output folder; W&B writes to its ``wandb`` folder.
        mode: ``online``, ``offline`` or ``disabled``. None follows ``WANDB_MODE`` and W&B's own
            settings, and is offline where those say online but there is no key. Never prompts.
        entity: the user or team that owns the runs; W&B's default when None.

    Raises:
        TrackerError: when wandb is not installed.
    """

    def __init__(
        self, directory: Path, *, mode: str | None = None, entity: str | None = None
    ) -> None:
        self._wandb: Any = import_backend(
            "wandb", install="pip install wandb", instead="tracker=none"
        )
        self._directory = directory
        self._folder = directory / "wandb"
        self._asked_mode = mode
        self._mode: str | None = None
        self._entity = entity
        self._runs: dict[int, wandb.Run] = {}
        self._ending: list[Thread] = []
        self._incomplete: list[wandb.Run] = []
        self._hint: tuple[tuple[str, str], ...] = ()

    def begin(self, run: RunIdentity) -> None:
        if self._mode is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._mode = self._resolve_mode()
        opened = self._open(run)
        _define_metrics(opened)
        self._runs[run.seed] = opened
        self._hint = self._describe(opened, run.group)

    def log(self, seed: int, metrics: Mapping[str, float]) -> None:
        self._runs[seed].log(dict(metrics))

    def finish(self, seed: int, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        run = self._runs.pop(seed)
        # A metric that is logged once is a bar in W&B's own charts; a mere summary is in none.
        last = {name: value for name, value in summary.items() if _is_bar(name, value)}
        if last:
            run.log(last)
        run.summary.update(dict(summary))
        # At the same time as the others: a server that does not answer is waited for once.
        ending = Thread(target=self._end, args=(run, int(failed)), daemon=True)
        ending.start()
        self._ending.append(ending)

    def close(self, *, failed: bool = False) -> None:
        for seed in list(self._runs):
            self.finish(seed, {}, failed=failed)
        while self._ending:
            self._ending.pop().join()
        if self._incomplete:
            logger.warning(
                "W&B did not take all of %s; upload the rest with: %s",
                ", ".join(sorted(str(run.name) for run in self._incomplete)),
                _sync_online(Path(run.dir).parent for run in self._incomplete),
            )
            self._incomplete = []

    def hint(self) -> tuple[tuple[str, str], ...]:
        return self._hint

    def remedy(self) -> str:
        return f"upload later with: {_sync_online([self._folder])}/*run-*"

    def _end(self, run: wandb.Run, exit_code: int) -> None:
        try:
            run.finish(exit_code=exit_code)
            complete = run.offline or not _failed_uploads(run)
        except Exception:  # TimeoutError after FINISH_TIMEOUT_S
            complete = False
        if not complete:
            self._incomplete.append(run)

    def _resolve_mode(self) -> str:
        quiet = self._wandb.Settings(silent=True, console="off")
        settings = self._wandb.setup(settings=quiet).settings
        mode: str = self._asked_mode or settings.mode
        if mode != "online":
            return mode
        told = self._asked_mode == "online"
        try:
            if self._wandb.login(prompt=False, verify=False):
                return mode
            problem = "there is no API key (wandb login)"
        except Exception as error:  # a key that is too short, two kinds of keys at once
            told, problem = True, cause_of(error)
        if told:
            logger.warning("W&B cannot be used online (%s): recording offline", problem)
        return "offline"

    def _open(self, run: RunIdentity) -> wandb.Run:
        if self._mode == "online":
            before = set(self._folder.glob("run-*"))
            try:
                return self._init(run)
            except Exception as error:
                self._mode = "offline"
                logger.warning(
                    "W&B cannot be reached (%s): recording offline; upload later with: %s",
                    cause_of(error),
                    self._upload,
                )
            for empty in set(self._folder.glob("run-*")) - before:
                shutil.rmtree(empty, ignore_errors=True)
        return self._init(run)

    def _init(self, run: RunIdentity) -> wandb.Run:
        opened: wandb.Run = self._wandb.init(
            project=run.project,
            entity=self._entity,
            name=run.name,
            group=run.group,
            job_type=run.job_type,
            tags=run.tags,
            config={**run.config, "seed": run.seed},
            dir=str(self._directory),
            mode=self._mode,
            reinit="create_new",
            settings=self._wandb.Settings(
                console="off",
                silent=True,
                init_timeout=INIT_TIMEOUT_S,
                finish_timeout=FINISH_TIMEOUT_S,
                finish_timeout_raises=True,
            ),
        )
        return opened

    @property
    def _upload(self) -> str:
        return f"wandb sync {shlex.quote(str(self._folder))}/offline-run-*"

    def _describe(self, run: wandb.Run, group: str) -> tuple[tuple[str, str], ...]:
        if self._mode == "offline":
            look = f"wandb leet {shlex.quote(str(self._folder))}"
            return ("look", look), ("upload", self._upload)
        return (("look", str(run.project_url)), ("group", group)) if self._mode == "online" else ()


def _failed_uploads(run: wandb.Run) -> bool:
    """True if W&B has given up uploading something of a run; it says so in its log alone."""
    log = Path(run.settings.log_internal)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    errors = [line for line in lines if '"level":"ERROR' in line]
    return any('"msg":"api: HTTP error"' not in line for line in errors)  # these are tried again


def _sync_online(paths: Iterable[Path]) -> str:
    """The command that uploads runs which were online; without the option, W&B skips them."""
    return shlex.join(["wandb", "sync", "--include-online", *sorted(map(str, paths))])


def _define_metrics(run: wandb.Run) -> None:
    """Draw each curve over its own stage's epochs; keep last values out of the summary.

    Until ``finish`` writes the values of the selected epoch, the summary has the best validation
    accuracy alone.
    """
    for stage in STAGES.values():
        run.define_metric(stage.epoch, hidden=True, summary="none")
        for name in stage.curves:
            best = "max" if name == stage.score("val") else "none"
            run.define_metric(name, step_metric=stage.epoch, summary=best)


def _is_bar(name: str, value: Any) -> bool:
    return isinstance(value, Real) and name not in CURVES
