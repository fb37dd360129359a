"""Configurations from Python, with the checks of the command line."""

from __future__ import annotations

from collections.abc import Sequence

from gkd_runner.config.command_line import check_overrides
from gkd_runner.options.schema import Config


def compose(overrides: Sequence[str] = ()) -> Config:
    """The configuration that ``gkd-train`` runs with these overrides.

    For a graph in memory, give ``dataset=custom`` without a path, and the graph to ``train``.
    Raises ``ConfigError`` with all mistakes, in the words of the command line.

    >>> from gkd_runner import compose
    >>> compose(["method=glnn", "seeds=[0]"]).method.name
    'glnn'
    """
    return check_overrides(list(overrides))
