"""Configurations for Python: as ``gkd-train`` composes them, and with changes."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path

from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import compose_overrides
from gkd_runner.config.rules import check_together
from gkd_runner.options.schema import Config


def compose(overrides: str | Sequence[str] = ()) -> Config:
    """The configuration that ``gkd-train`` runs with these ``overrides``.

    A text is split as a shell would do it. For a graph in memory, give ``dataset=custom`` without
    a file, and the graph to ``train``. Raises ``ConfigError`` with all mistakes, in the words of
    the command line.

    >>> from gkd_runner import compose
    >>> compose(["method=glnn", "seeds=0-4"]).seeds
    [0, 1, 2, 3, 4]
    """
    return compose_overrides(shlex.split(overrides) if isinstance(overrides, str) else overrides)


def capped(config: Config, width: int) -> Config:
    """Cap both hidden widths at ``width``. Raises ``ConfigError`` if that is invalid."""
    teacher = dataclasses.replace(config.gnn, hidden_dim=min(width, config.gnn.hidden_dim))
    student = dataclasses.replace(config.student, hidden_dim=min(width, config.student.hidden_dim))
    narrower = dataclasses.replace(config, teacher=teacher, student=student)
    if mistakes := check_together(narrower):
        raise ConfigError(mistakes)
    return narrower


def data_dir(config: Config) -> Path:
    """The data folder with ``~`` expanded."""
    return Path(config.data_dir).expanduser()
