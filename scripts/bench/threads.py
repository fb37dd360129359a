"""The number of threads, and how they wait, as environment variables of this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise

THREADS = 2
"""Threads without ``--threads``: figures of machines with different numbers of cores compare."""

COUNTED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Threads that spin while they wait count as CPU time, more of it the busier the machine is."""


def set_threads(arguments: Sequence[str]) -> None:
    """Set the variables for this process and its children, before NumPy or torch is imported."""
    os.environ.update(SLEEPING)
    os.environ.update(dict.fromkeys(COUNTED, str(asked_threads(arguments))))


def asked_threads(arguments: Sequence[str]) -> int:
    """The value of ``--threads``; mistakes are left to the parser, which reads it again."""
    words = [part for argument in arguments for part in argument.split("=", 1)]
    for name, value in pairwise(words):
        if name == "--threads" and value.isdigit() and int(value) > 0:
            return int(value)
    return THREADS
