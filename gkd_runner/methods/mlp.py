"""The baseline: an MLP on raw features and labels alone."""

from __future__ import annotations

from gkd_runner.methods.base import Method
from gkd_runner.options.schema import MethodConfig


class PlainMlp(Method[MethodConfig]):
    """No teacher: every decision is the default."""

    colour = "#e69f00"
    distils = False
    is_reference = True
