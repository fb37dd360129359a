"""Checks Hydra's own part of a command line: launchers, sweepers and their settings."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from gkd_runner.common.errors import ConfigError, explain, nearest

PREFIXES = ("hydra/", "hydra.")
EXTRAS = {
    "hydra/launcher": {
        "joblib": "launchers",
        "submitit_local": "launchers",
        "submitit_slurm": "launchers",
        "ray": "ray",
    },
    "hydra/sweeper": dict[str, str](),
}
"""The extra of this package that installs a choice."""


def hydra_mistakes(
    overrides: Sequence[Override], searched: Sequence[str], *, sweeps: bool
) -> list[str]:
    """The mistakes in ``hydra/...=`` and ``hydra....=``; Hydra must be initialised.

    Args:
        overrides: Hydra's own overrides.
        searched: overrides that add folders to Hydra's search path.
        sweeps: the command line may have a launcher, as it sweeps.
    """
    swept = [override.input_line for override in overrides if override.is_sweep_override()]
    choices = [override for override in overrides if override.key_or_group.startswith("hydra/")]
    problems = (_choice(override, searched, sweeps=sweeps) for override in choices)
    mistakes = [f"{text} has several values; all cells share one" for text in swept]
    mistakes = mistakes or [problem for problem in problems if problem]
    if mistakes:  # the settings that exist depend on the choices
        return mistakes
    base = [*searched, *(override.input_line or "" for override in choices)]
    settings = [override for override in overrides if override not in choices]
    return [problem for override in settings if (problem := _setting(override, base))]


def installed(group: str, searched: Sequence[str] = ()) -> list[str]:
    """The choices of a group in Hydra and its installed plugins."""
    loader = GlobalHydra.instance().config_loader()
    return loader.get_group_options(group, config_name="train", overrides=list(searched))


def _choice(override: Override, searched: Sequence[str], *, sweeps: bool) -> str | None:
    group, value, text = override.key_or_group, str(override.value()), override.input_line
    there, extras = installed(group, searched), EXTRAS.get(group, {})
    if value in there:
        idle = group in EXTRAS and not sweeps
        return f"{text} is for the cells of a sweep; add -m" if idle else None
    if value in extras:
        return f'{text} is not installed; pip install "gkd-runner[{extras[value]}]"'
    allowed = sorted({*there, *extras})
    if not allowed:
        return f"{text}: Hydra has no group {group}"
    search = "; to search, use gkd-search" if group == "hydra/sweeper" else ""
    return f"{text} is not one of {', '.join(allowed)}{nearest(value, allowed)}{search}"


def _setting(override: Override, base: Sequence[str]) -> str | None:
    text, key = override.input_line or "", override.key_or_group
    if key == "hydra.mode":
        return f"{text}: a sweep has -m, and a single job has not; leave it out"
    group = key.replace(".", "/")
    if group in EXTRAS:
        return f"{text} takes its place; choose with {group}=..."
    try:
        hydra.compose("train", [*base, text], return_hydra_config=True)
    except HydraException as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        return f"{text}: {_unknown(key, base) or reason}"
    return None


def _unknown(key: str, base: Sequence[str]) -> str | None:
    """The message that Hydra has no option ``key``; ``None`` if it has."""
    composed = hydra.compose("train", list(base), return_hydra_config=True)
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(composed, parent)
    names = [str(option) for option in node] if OmegaConf.is_dict(node) else []
    if name in names or not names:
        return None
    shown = {option: f"{parent}.{option}" for option in names}
    return f"{parent} has no {name}{nearest(name, names, shown)} (it has: {', '.join(names)})"


@contextmanager
def errors_raised() -> Iterator[None]:
    """Let Hydra raise an error; else it prints a traceback and exits."""
    name = "HYDRA_FULL_ERROR"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


@contextmanager
def starting(task: Callable[..., Any]) -> Iterator[None]:
    """Let Hydra start ``task``; raises ``ConfigError`` for what it refuses before the task begins.

    The errors of the task itself, and those that have a message of their own, are left alone.
    """
    try:
        with errors_raised():
            yield
    except Exception as error:
        frames = traceback.walk_tb(error.__traceback__)
        told = explain(error) and not isinstance(error, HydraException)
        if told or any(frame.f_code is task.__code__ for frame, _ in frames):
            raise
        reason = str(error.__cause__ or error).partition("\n")[0] or type(error).__name__
        raise ConfigError(
            [f"Hydra cannot start the job: {reason}; mend the options that begin with hydra or +"]
        ) from error
