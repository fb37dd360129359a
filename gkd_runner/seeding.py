"""Random streams: one per seed and purpose, so that no stream's use shifts another's."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for. The numbers are part of every result: never renumber."""

    SPLIT = 1
    HIDDEN = 2
    TEACHER_INIT = 3
    TEACHER_DROPOUT = 4
    STUDENT_INIT = 5
    STUDENT_DROPOUT = 6
    EDGE_SAMPLING = 7
    LABELS = 8


def generator(seed: int, purpose: Purpose) -> np.random.Generator:
    """The NumPy stream of ``seed`` for ``purpose`` (SFC64: the fastest NumPy has)."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, purpose])))


def stream_seed(seed: int, purpose: Purpose) -> int:
    """A 63-bit seed for a generator of another library."""
    state = np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))
