"""The environment of a run: device, versions, git state, memory."""

from __future__ import annotations

import logging
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from gkd_runner.common.errors import ConfigError, TrainingError
from gkd_runner.common.paths import PACKAGE
from gkd_runner.common.version import __version__
from gkd_runner.options.schema import Config

logger = logging.getLogger("gkd_runner")

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
FIXED_SIZES = (":4096:8", ":16:8")
"""Sizes of workspace with which cuBLAS gives the same bits each time, by its documentation."""

NOT_DETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")


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


@contextmanager
def deterministic_algorithms(wanted: bool, device: torch.device) -> Iterator[None]:
    """Let torch use deterministic operations alone in the block, if ``wanted``.

    Raises ``ConfigError`` where cuBLAS is set up otherwise, and ``TrainingError`` for an operation
    that has no deterministic form.
    """
    if not wanted:
        yield
        return
    if device.type == "cuda":
        _fix_workspace()
    before = torch.get_deterministic_debug_mode()
    # torch.use_deterministic_algorithms imports torch's compiler, which takes 1.8 CPU seconds
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    except RuntimeError as error:
        found = NOT_DETERMINISTIC.search(str(error))
        if not found:
            raise
        raise TrainingError(
            f"deterministic=true: torch has no deterministic form of {found[1]} on {device.type};"
            " use deterministic=false or device=cpu"
        ) from error
    finally:
        torch.set_deterministic_debug_mode(before)


def _fix_workspace() -> None:
    """Give cuBLAS a workspace of a fixed size, which it reads as CUDA starts."""
    given = os.environ.get(WORKSPACE)
    if given is None and not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        os.environ[WORKSPACE] = FIXED_SIZES[0]
    elif given not in FIXED_SIZES:
        raise ConfigError(
            [f"deterministic=true on a GPU needs the environment variable {WORKSPACE} before the"
             f" start, and it is {given or 'not set'}: set {WORKSPACE}={FIXED_SIZES[0]} and start"
             " again"]
        )  # fmt: skip


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
