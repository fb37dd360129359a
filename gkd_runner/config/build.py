"""Configurations for Python: as ``gkd-train`` composes them, and with changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import compose_overrides
from gkd_runner.config.rules import check_together
from gkd_runner.options.schema import Config


def compose(overrides: Sequence[str] = ()) -> Config:
    """The configuration that ``gkd-train`` runs with these command-line ``overrides``.

    ``dataset=custom`` needs no graph file here, as a graph in memory can be trained on. Raises
    ``ConfigError`` with all mistakes, as the command line reports them.
    """
    return compose_overrides(overrides)


def capped(config: Config, width: int) -> Config:
    """Cap both hidden widths at ``width``. Raises ``ConfigError`` if that is invalid."""
    teacher = dataclasses.replace(config.teacher, hidden_dim=min(width, config.teacher.hidden_dim))
    student = dataclasses.replace(config.student, hidden_dim=min(width, config.student.hidden_dim))
    narrower = dataclasses.replace(config, teacher=teacher, student=student)
    if mistakes := check_together(narrower):
        raise ConfigError(mistakes)
    return narrower


def data_dir(config: Config) -> Path:
    """The data folder with ``~`` expanded."""
    return Path(config.data_dir).expanduser()
