"""The text of ``gkd-train --help`` on every option, from the schema."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Any

from gkd_runner.config.fields import limits_text
from gkd_runner.config.schemas import SCHEMAS, choices_in
from gkd_runner.methods import CONF_DIRS
from gkd_runner.options.schema import GROUPS, Config

_WIDTH = 100
_COLUMN = 38


def groups_text() -> str:
    """One line per group, with its choices; Hydra's own list lacks those of other packages."""
    return "\n".join(
        f"{group}: {', '.join(names)}" for group, names in choices_in(CONF_DIRS).items()
    )


def options_text() -> str:
    """One entry per option: its path, what it means, and which values it may take."""
    top = [field for field in dataclasses.fields(Config) if field.name not in GROUPS]
    sections = ["\n".join(_entry(field.name, field) for field in top)]
    return "\n\n".join([*sections, *filter(None, map(_group_text, GROUPS))])


def _group_text(group: str) -> str:
    """The help of a group: first the options of all its choices, then those of only some."""
    common = {field.name: field for field in dataclasses.fields(GROUPS[group])}
    special: dict[str, tuple[dataclasses.Field[Any], list[str]]] = {}
    for choice, schema in SCHEMAS.get(group, {}).items():
        for field in dataclasses.fields(schema):
            if field.name not in common:
                special.setdefault(field.name, (field, []))[1].append(choice)
    if group != "dataset":
        common.pop("name", None)  # chosen with group=option, never set
    common.pop("family", None)
    lines = [_entry(f"{group}.{name}", field) for name, field in common.items()]
    lines += [
        _entry(f"{group}.{name}", field, f"with {group}={' or '.join(choices)}")
        for name, (field, choices) in special.items()
    ]
    return "\n".join(lines)


def _entry(path: str, field: dataclasses.Field[Any], condition: str = "") -> str:
    notes = [note for note in (limits_text(field), condition) if note]
    text = field.metadata["help"] + (f" [{'; '.join(notes)}]" if notes else "")
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"  {path}".ljust(_COLUMN - 1) + " ",
        subsequent_indent=" " * _COLUMN,
    )
