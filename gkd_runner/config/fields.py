"""Validity rules of one option at a time, from its schema entry."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from gkd_runner.common.errors import nearest

_COMPARISONS: dict[str, tuple[Callable[[Any, float], bool], str]] = {
    "at_least": (lambda value, limit: value >= limit, ">="),
    "above": (lambda value, limit: value > limit, ">"),
    "at_most": (lambda value, limit: value <= limit, "<="),
    "below": (lambda value, limit: value < limit, "<"),
}


def check_field(path: str, value: Any, field: dataclasses.Field[Any]) -> str | None:
    """The mistake in ``path=value`` by the field's own rules, or ``None``."""
    items = list(value) if not isinstance(value, str) and hasattr(value, "__iter__") else [value]
    choices = field.metadata["choices"]
    rules: dict[str, float] = field.metadata["rules"]
    for item in items:
        if item is None:
            continue
        if item == "":
            return f"{path}= is empty; give it a value"
        if choices and item not in choices:
            allowed = ", ".join(choices)
            hint = "; did you mean 'cuda'?" if item == "gpu" else nearest(str(item), choices)
            return f"{path}={item} is not one of {allowed}{hint}"
        if rules and not (math.isfinite(item) and _within(item, rules)):
            return f"{path}={item} is out of range; it must be {limits_text(field)}"
    return _check_distinct(path, items) if field.metadata["distinct"] else None


def _check_distinct(path: str, items: list[Any]) -> str | None:
    if not items:
        return f"{path}=[] is empty; give at least one, as in {path}=[0]"
    twice = sorted({item for item in items if items.count(item) > 1})
    if twice:
        return f"{path}={items} repeats {', '.join(map(str, twice))}; each once"
    return None


def limits_text(field: dataclasses.Field[Any]) -> str:
    """The values a field may take, in words; empty where it has no rule."""
    if field.metadata["choices"]:
        return "one of " + ", ".join(field.metadata["choices"])
    rules: dict[str, float] = field.metadata["rules"]
    return " and ".join(f"{_COMPARISONS[rule][1]} {rules[rule]}" for rule in rules)


def _within(value: float, rules: dict[str, float]) -> bool:
    return all(_COMPARISONS[rule][0](value, limit) for rule, limit in rules.items())
