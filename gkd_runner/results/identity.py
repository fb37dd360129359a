"""The names and facts by which a configuration is known wherever its numbers are shown."""

from __future__ import annotations

from gkd_runner.config.presets import hyperparameters, hyperparameters_text
from gkd_runner.options.schema import Config

NAMES = ("dataset", "protocol", "setting", "teacher", "method", "preset", "calibration")
"""The names of a configuration, in the order of the columns of tables."""


def identity(config: Config) -> dict[str, str]:
    """The choices of ``config``, by the names in ``NAMES``."""
    choices = {name: getattr(config, name).name for name in NAMES[:-1]}
    return {**choices, "calibration": config.calibration}


def source_text(config: Config) -> str:
    """The origin of the hyperparameters of ``config``, as one sentence."""
    return hyperparameters_text(
        hyperparameters(config),
        preset=config.preset.name,
        dataset=config.dataset.name,
        calibrated=config.calibration != "none" and config.method.uses_teacher,
    )
