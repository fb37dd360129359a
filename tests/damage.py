"""Files as disks, editors and killed processes leave them."""

from __future__ import annotations

import random
from collections.abc import Iterator

FOREIGN = {
    "empty": b"",
    "zeros": bytes(100),
    "Latin-1": "größer\n".encode("latin-1"),
    "another kind of file": b"\x89PNG\r\n\x1a\n\x00\x00",
    "null": b"null\n",
    "a number": b"7\n",
    "a text": b'"text"\n',
    "a list": b"[1, 2]\n",
    "a dictionary": b'{"a": 1}\n',
    "a list in YAML": b"- 1\n- a: 2\n",
}
"""Contents that have nothing to do with what is expected."""


def cuts(content: bytes, most: int) -> Iterator[bytes]:
    """``content`` cut at every byte, or at ``most`` of them, drawn with a fixed seed."""
    lengths = range(len(content))
    drawn = lengths if len(content) <= most else random.Random(0).sample(lengths, most)
    yield from (content[:length] for length in drawn)


def flips(content: bytes, count: int) -> Iterator[bytes]:
    """``content`` with one bit flipped, ``count`` times, drawn with a fixed seed."""
    draw = random.Random(1)
    for _ in range(count):
        damaged = bytearray(content)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        yield bytes(damaged)


def damaged(content: bytes, most: int) -> Iterator[bytes]:
    """Foreign contents, cuts and flips."""
    yield from FOREIGN.values()
    yield from cuts(content, most)
    yield from flips(content, most)
