"""The configuration that a run left in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gkd_runner.common.errors import ConfigError, RunError
from gkd_runner.common.reading import reading
from gkd_runner.config.typed import to_config
from gkd_runner.options.schema import Config

AGAIN = "run it again with rerun=true"


def read_config(file: Path, moved: Mapping[str, str]) -> Config:
    """The configuration in ``config.yaml``, with the options ``moved`` in place of its own.

    Raises ``RunError`` if the file is damaged or does not fit this version.
    """
    with reading(file, AGAIN, RunError):
        stored = OmegaConf.load(file)
        if not isinstance(stored, DictConfig):
            raise TypeError("it holds no options")
        for option, value in moved.items():
            OmegaConf.update(stored, option, value)
        name = stored.protocol.name
        try:
            config = to_config(stored)
        except ConfigError as error:
            told = "; ".join(error.mistakes)
            raise RunError(f"{file} does not fit this version ({told}); {AGAIN}") from error
    config.protocol.name = name  # which names the changes already
    return config
