"""Bridge for ``gkd_runner.studies`` until it no longer imports this module."""

from gkd_runner.results.frame import ReportError

__all__ = ["ReportError"]
