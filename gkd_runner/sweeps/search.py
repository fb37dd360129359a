"""A search of hyperparameters: the space of a command line, and the file of its trials.

Needs Optuna, the extra ``search``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import check_command_line
from gkd_runner.config.hydra_options import PREFIXES
from gkd_runner.data.datasets import load_dataset
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config, Range
from gkd_runner.results.key import config_key
from gkd_runner.runs.environment import choose_device


@dataclass(frozen=True)
class Search:
    """A search: ``space`` has each option's distribution, ``seed`` is the sampler's.

    ``given`` is the command line; ``options`` adds ``tracker=none`` where it has no tracker.
    """

    given: tuple[str, ...]
    options: tuple[str, ...]
    config: Config
    space: dict[str, BaseDistribution]
    seed: int


def prepare(given: Sequence[str], seed: int) -> Search:
    """Check the command line as gkd-train does and find the method's space."""
    mistakes = [
        f"{text}: trials run here one after the other; leave Hydra's own options out"
        for text in given
        if text.lstrip("+~").startswith(PREFIXES)
    ]
    if mistakes:
        raise ConfigError(mistakes)
    tracked = any(text.startswith("tracker=") for text in given)
    options = given if tracked else ("tracker=none", *given)
    cells = check_command_line(["-m", *options])
    if len(cells) != 1:
        raise ConfigError([f"{cells[-1].label}: a search keeps what it is given; give one value"])
    config = cells[0].config
    named = {text.lstrip("+").partition("=")[0] for text in given}
    space = {k: v for k, v in search_space(config).items() if k not in named}
    if not space:
        raise ConfigError(["all options of the space are given, so that none is left to search"])
    return Search(tuple(given), tuple(options), config, space, seed)


def search_space(config: Config) -> dict[str, BaseDistribution]:
    """The options of method and student that say which values a search tries."""
    groups: dict[str, Any] = {"student": config.student}
    if METHODS[config.method.name].distils:
        groups = {"method": config.method, **groups}
    return {
        f"{group}.{field.name}": _distribution(field.metadata["search"])
        for group, options in groups.items()
        for field in fields(options)
        if field.metadata["search"]
    }


def _distribution(tried: Range) -> BaseDistribution:
    if isinstance(tried.low, int):
        return IntDistribution(tried.low, int(tried.high), log=tried.log)
    return FloatDistribution(tried.low, tried.high, log=tried.log)


def study_file(search: Search) -> Path:
    """The file of this search's trials: same options, graph, code, seeds and space."""
    config = search.config
    graph = load_dataset(config.dataset, config.protocol, config.data_dir)
    key = config_key(config, graph, choose_device(config.device))
    space = {option: str(distribution) for option, distribution in search.space.items()}
    parts = json.dumps([key, config.seeds, space, search.seed])
    names = (config.dataset.name, config.teacher.name, config.method.name)
    name = "-".join((*names, hashlib.sha256(parts.encode()).hexdigest()[:8]))
    return Path(config.output_dir).expanduser().absolute() / "searches" / f"{name}.jsonl"
