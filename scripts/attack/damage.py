"""Damage to files: single bits flipped, content cut off, files in each other's place."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from attack.kinds import READERS, harmless
from attack.written import Written
from gkd_runner.common.errors import GkdError

NOTICED, HARMLESS, WRONG = "noticed", "harmless", "wrong"

Damage = Callable[[bytes, np.random.Generator], bytes]


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """``content`` with one bit flipped."""
    bit, damaged = int(rng.integers(8 * len(content))), bytearray(content)
    damaged[bit // 8] ^= 1 << (bit % 8)
    return bytes(damaged)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """The beginning of ``content``."""
    return content[: int(rng.integers(len(content)))]


@contextmanager
def replaced(path: Path, content: bytes) -> Iterator[None]:
    """Give ``path`` another content for a while; what reading has mended or written is undone."""
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(whole)


def outcome(kind: str, written: Written, before: object) -> str:
    """What becomes of the damaged file of this ``kind``: one of the three words.

    Any exception but gkd-runner's own, which would be a traceback, is wrong, too.
    """
    try:
        found = READERS[kind][1](written)
    except GkdError:
        return NOTICED
    except Exception:
        logging.getLogger("attack").exception("%s", kind)
        return WRONG
    return HARMLESS if harmless(kind, found, before) else WRONG


def damage(kind: str, written: Written, how: Damage, times: int, seed: int) -> Counter[str]:
    """Damage the file of this ``kind`` several times, and count the outcomes."""
    rng, (place, read) = np.random.default_rng(seed), READERS[kind]
    path, before, counts = place(written), read(written), Counter[str]()
    whole = path.read_bytes()
    for _ in range(times):
        with replaced(path, how(whole, rng)):
            counts[outcome(kind, written, before)] += 1
    return counts


def damage_all(written: Written, how: Damage, times: int, seed: int) -> Counter[tuple[str, str]]:
    """Damage the kinds of files about equally often, ``times`` in all; counts by kind."""
    counts = Counter[tuple[str, str]]()
    for number, kind in enumerate(READERS):
        share = len(range(number, times, len(READERS)))
        found = damage(kind, written, how, share, seed + number)
        counts.update({(kind, word): count for word, count in found.items()})
    return counts


def _alike(one: str, other: str) -> bool:
    """True if a file of one kind may stand for one of the other, as any graph may for another."""
    return one == other or ("graph" in one and "graph" in other)


def swap_all(written: Written, other: Written, times: int, seed: int) -> Counter[tuple[str, str]]:
    """Put other files in place, of the same kind of another job or of another kind.

    A whole graph of the user's own in the place of another is a new graph, of other results.
    """
    rng, counts = np.random.default_rng(seed), Counter[tuple[str, str]]()
    before = {kind: read(written) for kind, (_, read) in READERS.items()}
    for number in range(times):
        kind = list(READERS)[number % len(READERS)]
        alike = number < len(READERS) and kind != "graph in data_dir"
        strange = [name for name in READERS if not _alike(name, kind)]
        source = other if alike else written
        place, _ = READERS[kind if alike else strange[int(rng.integers(len(strange)))]]
        content = place(source).read_bytes()
        with replaced(READERS[kind][0](written), content):
            counts[kind, outcome(kind, written, before[kind])] += 1
    return counts
