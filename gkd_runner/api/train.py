"""Train from Python."""

from __future__ import annotations

import logging
from typing import Any

from gkd_runner.api.result import Result
from gkd_runner.common.console import show_log
from gkd_runner.common.errors import ConfigError
from gkd_runner.config.files import graph_mistake
from gkd_runner.data.graph import GraphData
from gkd_runner.data.importing.load import load_graph
from gkd_runner.options.schema import Config
from gkd_runner.runs import train as runs
from gkd_runner.runs.display import told_warnings

logger = logging.getLogger("gkd_runner")


def train(config: Config, graph: Any = None) -> Result:
    """Train teachers, distil students from them, and record the run, as ``gkd-train`` does.

    What an earlier run of the same configuration has finished is read from its folder. Warnings go
    to the log ``gkd_runner``, which is shown unless it has a handler of its own. A seed that fails
    in training is warned of and left out of the result.

    Args:
        config: what ``compose`` returned.
        graph: for a configuration with ``dataset=custom``: what ``load_graph`` returned, or
            anything that it takes.

    Raises:
        GkdError: for data and configurations that cannot work, and where all seeds fail.
    """
    if not logger.handlers:
        show_log()
    if graph is None and (mistake := graph_mistake(config)):
        raise ConfigError([f"{mistake}; or give the graph: train(config, graph=...)"])
    if not (graph is None or isinstance(graph, GraphData)):
        graph = load_graph(graph)
    result = runs.train(config, graph)
    for failure in result.failures:
        logger.warning("%s", failure)
    for warning in told_warnings(result.seeds):
        logger.warning("%s", warning)
    return Result(result)
