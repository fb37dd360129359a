"""The environment of a run: device, versions, git state, memory."""

from __future__ import annotations

import logging
import platform
import resource
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.paths import PACKAGE
from gkd_runner.common.version import __version__
from gkd_runner.options.schema import Config

logger = logging.getLogger("gkd_runner")


def choose_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means here.

    Raises ``ConfigError`` for ``cuda`` where torch sees no GPU; ``auto`` warns when the machine
    has an NVIDIA driver that the installed torch cannot use.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError(
            [f"device=cuda, but torch {torch.__version__} sees no GPU; use device=auto or cpu"]
        )
    if name == "auto" and not available and shutil.which("nvidia-smi"):
        logger.warning(
            "running on the CPU: this machine has an NVIDIA driver, but torch %s cannot use it;"
            " install a CUDA build of torch",
            torch.__version__,
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Versions, machine and git state, for ``result.json``."""
    packages = ("torch", "numpy", "scipy", "hydra-core")
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "versions": {"gkd-runner": __version__, "python": platform.python_version()}
        | {name: _version(name) for name in packages},
        "device": {"type": device.type, "gpu": gpu, "threads": torch.get_num_threads()},
        "platform": platform.platform(),
        "git": _git_state(),
        "command": sys.argv,
    }


def replicas_at_once(config: Config, device: torch.device) -> int:
    """Number of seeds that train at once; by default all on a GPU and one on a CPU."""
    return config.replicas or (len(config.seeds) if device.type == "cuda" else 1)


def peak_memory(device: torch.device) -> dict[str, int | None]:
    """Largest resident set and largest GPU allocation of this process so far, in bytes."""
    scale = 1 if sys.platform == "darwin" else 1024
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    gpu = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {"host": host, "gpu": gpu}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git_state() -> dict[str, Any] | None:
    """Commit of the checkout that this code runs from; ``None`` outside of one."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE.parent), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        if not (PACKAGE.parent / "pyproject.toml").is_file():
            return None
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
