"""The packages that exporting needs beside those of training."""

from __future__ import annotations

import importlib.util

from gkd_runner.common.errors import ConfigError


def require_onnx() -> None:
    """Raise ``ConfigError`` unless ``onnx`` and ``onnxruntime`` are installed."""
    for package in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                [f'{package} is not installed: pip install "gkd-runner[train,export]"']
            )
