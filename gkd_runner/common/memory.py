"""Memory of the process."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's mallopt


@cache
def keep_freed_memory() -> None:
    """Let this process reuse the memory that it frees instead of returning it to the system.

    An epoch frees and allocates the same large tensors again and again, and fresh pages from the
    system cost as much as the arithmetic on them. Other C libraries than glibc are left alone.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt:
            mallopt(_MMAP_MAX, 0)
            mallopt(_TRIM_THRESHOLD, -1)
