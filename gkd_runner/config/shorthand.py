"""Lists of seeds and splits as people type them: ``seeds=0-4``, ``seeds=0,1,2``, ``seeds=5``.

Hydra would read the second as a sweep and the others as text, so they are written out for it. In a
sweep, too, such a list belongs to every cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LISTS = ("seeds", "splits")
"""The options that are lists of whole numbers."""

_OPTION = re.compile(rf"(\+{{0,2}})({'|'.join(LISTS)})=(.*)", re.DOTALL)
_RANGE = re.compile(r"(\d+)\s*(?:-|\.\.)\s*(\d+)")


def written_out(texts: Iterable[str]) -> list[str]:
    """The overrides ``texts`` with every list as Hydra reads it: ``seeds=[0,1,2]``.

    Texts that are no such list, or a wrong one, are left as they are.
    """
    return [_written_out(text) for text in texts]


def list_mistake(text: str) -> str | None:
    """The mistake in a list that could not be written out, or ``None``."""
    option = _OPTION.fullmatch(text)
    if not option or option[3].strip() == "null" or option[3].lstrip().startswith("["):
        return None  # Hydra and the schema judge these
    _, name, value = option.groups()
    down = _RANGE.fullmatch(value.strip())
    if down:
        return f"{text} counts down; write {name}={down[2]}-{down[1]}"
    every = f", or {name}=null for all" if name == "splits" else ""
    return (
        f"{text} is not a list of whole numbers; write {name}=0-4, {name}=0,1,2 or {name}=5{every}"
    )


def _written_out(text: str) -> str:
    option = _OPTION.fullmatch(text)
    numbers = _numbers(option[3]) if option else None
    return f"{option[1]}{option[2]}=[{','.join(numbers)}]" if option and numbers else text


def _numbers(value: str) -> list[str] | None:
    """The numbers of ``0-4,7`` and ``[0, 1]``, or ``None`` if ``value`` is nothing of the kind."""
    value = value.strip()
    inside = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    numbers: list[str] = []
    for item in map(str.strip, inside.split(",")):
        ends = _RANGE.fullmatch(item)
        if ends and int(ends[1]) <= int(ends[2]):
            numbers += map(str, range(int(ends[1]), int(ends[2]) + 1))
        elif re.fullmatch(r"\d+", item):
            numbers.append(item)
        else:
            return None
    return numbers
