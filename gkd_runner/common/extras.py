"""Packages that are not always installed, as they belong to an extra."""

from __future__ import annotations

import importlib.util

from gkd_runner.common.errors import GkdError


def require(what: str, extra: str, *packages: str) -> None:
    """Raise ``GkdError`` unless the ``packages`` that ``what`` needs are installed."""
    if mistake := lacking(what, extra, *packages):
        raise GkdError(mistake)


def lacking(what: str, extra: str, *packages: str) -> str | None:
    """The message about the first of the ``packages`` that is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            return (
                f'{what} needs {package}, which is not installed: pip install "gkd-runner[{extra}]"'
            )
    return None
