"""Checks that data read from JSON has the types that annotations say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

NAMES = {int: "a whole number", float: "a finite number", str: "text", bool: "true or false"}


def mistakes(value: Any, kind: Any, name: str) -> Iterator[str]:
    """The mistakes in ``value``, which should have type ``kind``; ``name`` says where it stands.

    ``kind`` is a plain type, a list, a dict, a dataclass, a ``TypedDict``, or one of these and
    ``None``. A whole number may stand for a float. A dataclass has no entries but its fields; a
    ``TypedDict`` may have others.
    """
    origin = get_origin(kind)
    if origin is UnionType:
        [other] = (each for each in get_args(kind) if each is not NoneType)
        if value is not None:
            yield from mistakes(value, other, name)
    elif is_dataclass(kind) or is_typeddict(kind):
        yield from _of_record(value, kind, name)
    elif origin in (list, dict):
        yield from _of_items(value, origin, get_args(kind)[-1], name)
    elif kind is not Any and not _is(value, kind):
        yield f"{name} is {value!r:.60}, not {NAMES[kind]}"


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind


def _of_items(value: Any, container: Any, kind: Any, name: str) -> Iterator[str]:
    if type(value) is not container:
        yield f"{name} is {value!r:.60}, not {'a list' if container is list else 'an object'}"
        return
    items: Any = value.items() if container is dict else enumerate(value)
    for place, item in items:
        yield from mistakes(item, kind, f"{name}.{place}")


def _of_record(value: Any, kind: Any, name: str) -> Iterator[str]:
    if type(value) is not dict:
        yield f"{name} is {value!r:.60}, not an object"
        return
    hints, required = _fields(kind)
    yield from (f"{name} has no {field}" for field in sorted(required - value.keys()))
    for field, item in value.items():
        if field in hints:
            yield from mistakes(item, hints[field], f"{name}.{field}")
        elif is_dataclass(kind):
            yield f"{name} has {field}, which is not known"


@cache
def _fields(kind: Any) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The types of the fields, and the names of those that must be there."""
    if not is_dataclass(kind):
        return get_type_hints(kind), kind.__required_keys__
    required = (field.name for field in fields(kind) if field.default is MISSING)
    return get_type_hints(kind), frozenset(required)
