"""Weights & Biases: one run per seed, all seeds of a configuration in one group."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gkd_runner.tracking.base import (
    RunIdentity,
    cause_of,
    import_backend,
    logger,
)
from gkd_runner.tracking.metrics import STAGES

if TYPE_CHECKING:
    import wandb

INIT_TIMEOUT_S = 20.0
FINISH_TIMEOUT_S = 10.0  # per run, so that five fit into the 60 s that a job waits at its end
CURVES = frozenset(name for stage in STAGES.values() for name in stage.curves)


class WandbTracker:
    """Tracks with W&B; without a key, or without a connection, offline.

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
        self._asked_mode = mode
        self._mode: str | None = None
        self._entity = entity
        self._runs: dict[int, wandb.Run] = {}
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
        try:
            run.finish(exit_code=1 if failed else 0)
        except TimeoutError:
            logger.warning(
                "W&B did not take all of run %s within %g s; upload the rest with: wandb sync %s",
                run.name,
                FINISH_TIMEOUT_S,
                shlex.quote(str(_run_folder(run))),
            )

    def close(self, *, failed: bool = False) -> None:
        for seed in list(self._runs):
            self.finish(seed, {}, failed=failed)

    def hint(self) -> tuple[tuple[str, str], ...]:
        return self._hint

    def _resolve_mode(self) -> str:
        quiet = self._wandb.Settings(silent=True, console="off")
        mode: str = self._asked_mode or self._wandb.setup(settings=quiet).settings.mode
        if mode != "online" or has_key(self._wandb):
            return mode
        if self._asked_mode == "online":
            logger.warning("W&B has no API key (wandb login): recording offline")
        return "offline"

    def _open(self, run: RunIdentity) -> wandb.Run:
        if self._mode == "online":
            try:
                return self._init(run)
            except Exception as error:
                self._mode = "offline"
                logger.warning(
                    "W&B cannot be reached (%s): recording offline; upload later with: %s",
                    cause_of(error),
                    self._sync_command(),
                )
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
            settings=self._settings(),
        )
        return opened

    def _settings(self) -> wandb.Settings:
        wanted = {
            "console": "off",
            "silent": True,
            "init_timeout": INIT_TIMEOUT_S,
            "finish_timeout": FINISH_TIMEOUT_S,
            "finish_timeout_raises": True,
        }
        known = self._wandb.Settings.model_fields  # finish_timeout came later than create_new
        settings: wandb.Settings = self._wandb.Settings(
            **{name: value for name, value in wanted.items() if name in known}
        )
        return settings

    def _sync_command(self) -> str:
        return f"wandb sync {shlex.quote(str(self._directory / 'wandb'))}/offline-run-*"

    def _describe(self, run: wandb.Run, group: str) -> tuple[tuple[str, str], ...]:
        if self._mode == "offline":
            folder = shlex.quote(str(self._directory / "wandb"))
            return ("look", f"wandb leet {folder}"), ("upload", self._sync_command())
        return (("look", str(run.project_url)), ("group", group)) if self._mode == "online" else ()


def has_key(wandb: Any) -> bool:
    """True if there is an API key; never prompts."""
    # Older releases lack login(prompt=...); newer ones deprecate wandb.api.
    if "prompt" in inspect.signature(wandb.login).parameters:
        return bool(wandb.login(prompt=False, verify=False))
    return bool(wandb.api.api_key)


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


def _run_folder(run: wandb.Run) -> Path:
    return Path(run.dir).parent
