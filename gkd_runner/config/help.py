"""What ``gkd-train --help`` says of every option, from the schema."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any

from gkd_runner.config.rules import limits_text
from gkd_runner.config.schema import GROUPS, SCHEMAS, Config

_WIDTH = 100
_COLUMN = 34


def options_text() -> str:
    """One line per option: its path, what it means, and which values it may take."""
    lines = list(_section("", Config))
    for group, schema in GROUPS.items():
        lines += ["", *_section(f"{group}.", schema)]
        common = {field.name for field in dataclasses.fields(schema)}
        for name, special in SCHEMAS.get(group, {}).items():
            lines += _section(f"{group}.", special, skip=common, only=f"{group}={name}")
    return "\n".join(lines)


def _section(
    prefix: str, schema: type, *, skip: frozenset[str] | set[str] = frozenset(), only: str = ""
) -> Iterator[str]:
    for field in dataclasses.fields(schema):
        if field.name not in skip and not (schema is Config and field.name in GROUPS):
            yield _entry(f"{prefix}{field.name}", field, only)


def _entry(path: str, field: dataclasses.Field[Any], only: str) -> str:
    limits = limits_text(field)
    notes = [note for note in (limits, f"with {only}" if only else "") if note]
    text = field.metadata["help"] + (f" [{'; '.join(notes)}]" if notes else "")
    gap = " " * _COLUMN
    return textwrap.fill(
        text, _WIDTH, initial_indent=f"  {path}".ljust(_COLUMN - 1) + " ", subsequent_indent=gap
    )
