"""Random streams, one per seed and name, so that drawing from one never shifts another."""

from __future__ import annotations

import hashlib

import numpy as np

FIRST = {
    "split": 1,
    "hidden nodes": 2,
    "teacher initialisation": 3,
    "teacher dropout": 4,
    "student initialisation": 5,
    "student dropout": 6,
    "edge sampling": 7,
    "kept labels": 8,
}
"""Numbers of the streams that the reference results were drawn from. Other names are hashed."""


def generator(seed: int, name: str) -> np.random.Generator:
    """The NumPy stream called ``name`` of ``seed`` (SFC64, the fastest bit generator of NumPy)."""
    return np.random.Generator(np.random.SFC64(_sequence(seed, name)))


def stream_seed(seed: int, name: str) -> int:
    """A 63-bit seed for the stream called ``name`` in a generator of another library."""
    state = _sequence(seed, name).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def _sequence(seed: int, name: str) -> np.random.SeedSequence:
    digest = hashlib.sha256(name.encode()).digest()
    number = FIRST.get(name) or int.from_bytes(digest[:8], "little")
    return np.random.SeedSequence([seed, number])
