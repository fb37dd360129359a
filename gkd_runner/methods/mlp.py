"""The baseline: an MLP on raw features and labels alone."""

from __future__ import annotations

from gkd_runner.config.schema import MethodConfig
from gkd_runner.methods.base import Method


class PlainMlp(Method[MethodConfig]):
    """No teacher: every decision is the default."""
