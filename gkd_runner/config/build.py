"""Configurations for Python, as ``gkd-train`` composes them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gkd_runner.config.command_line import compose_overrides
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
