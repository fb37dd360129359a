"""The methods, by the names that configurations use."""

from __future__ import annotations

from typing import Any

from gkd_runner.common.errors import ConfigError, nearest
from gkd_runner.methods.base import Method
from gkd_runner.methods.glnn import Glnn
from gkd_runner.methods.hgmd import HgmdMixup, HgmdWeight
from gkd_runner.methods.infgrand import InfGraND
from gkd_runner.methods.mlp import PlainMlp
from gkd_runner.options.schema import MethodConfig

METHODS: dict[str, type[Method[Any]]] = {
    "mlp": PlainMlp,
    "glnn": Glnn,
    "hgmd-weight": HgmdWeight,
    "hgmd-mixup": HgmdMixup,
    "infgrand": InfGraND,
}


def build_method(config: MethodConfig) -> Method[Any]:
    """The method that ``config.name`` names. Raises ``ConfigError`` with the choices."""
    if config.name not in METHODS:
        allowed = ", ".join(METHODS)
        raise ConfigError(
            [f"method={config.name} is not one of {allowed}{nearest(config.name, METHODS)}"]
        )
    return METHODS[config.name](config)
