"""The machine, and the code that is measured on it."""

from __future__ import annotations

import os
import platform
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from gkd_runner.runs.environment import describe_environment


def describe_machine(device: torch.device) -> dict[str, Any]:
    """CPU, cores, threads, versions, commit and the load before anything is measured."""
    environment = describe_environment(device)
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": os.getloadavg()[0],
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        **{name: environment[name] for name in ("device", "versions", "platform", "git")},
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for row in info.read_text(encoding="utf-8").splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def resident_bytes(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (the peak) of this process, in bytes; Linux only.

    ``ru_maxrss`` will not do: a child starts with that of the process that it was forked from.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        raise OSError(f"peak memory is read from {status}, which {sys.platform} does not have")
    rows = dict(row.split(":", 1) for row in status.read_text(encoding="utf-8").splitlines())
    return int(rows[field].split()[0]) * 1024


def forget_peak() -> None:
    """Let ``VmHWM`` start again from what is resident now (Linux: ``man 5 proc``, clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
