"""The names of all options, and the one that a mistyped name may mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from gkd_runner.common.errors import closest, nearest
from gkd_runner.config.schemas import SCHEMAS
from gkd_runner.options.schema import GROUPS, Config

SYNONYMS = {
    "seed": "seeds",
    "epochs": "training.max_epochs",
    "lr": "student.learning_rate",
    "layers": "teacher.num_layers",
    "hidden": "teacher.hidden_dim",
    "temperature": "method.tau",
    "lambda": "method.lam",
    "launcher": "hydra/launcher",
    "n_jobs": "hydra.launcher.n_jobs",
}
"""Names that newcomers type, and the options that they mean."""

UNSETTABLE = ("name", "family")
"""Fields that come with a group's choice."""


def field_at(path: str, schemas: Mapping[str, type]) -> dataclasses.Field[Any] | str:
    """The schema's field for a dotted path, or the message that says there is none."""
    group, _, name = path.partition(".")
    if not name and group in GROUPS:
        options = ", ".join(f"{group}.{name}" for name in _fields(schemas[group]))
        return f"{group} is a group of options; set one of {options}"
    if name and group in schemas:
        fields = _fields(schemas[group])
        listed = f"{group} has: {', '.join(field for field in fields if field not in UNSETTABLE)}"
    else:
        fields = {} if name else {k: f for k, f in _fields(Config).items() if k not in GROUPS}
        listed = f"at the top: {', '.join(fields or _fields(Config))}; the rest: gkd-train --help"
    if (name or group) in fields:
        return fields[name or group]
    return f"{path} is not an option{_nearest_option(path, schemas)} ({listed})"


def _nearest_option(path: str, schemas: Mapping[str, type]) -> str:
    """The most similar option, looked for in its group first and then by its last name anywhere."""
    group, _, name = path.rpartition(".")
    if name in SYNONYMS:
        return f"; did you mean {SYNONYMS[name]!r}?"
    own = _fields(schemas[group]) if group in schemas else {}
    inside = [f"{group}.{field}" for field in own if field not in UNSETTABLE]
    options = _by_last_name({group: [schema] for group, schema in schemas.items()})
    options |= {} if group else {group: group for group in GROUPS}
    hint = nearest(path, inside) if inside else ""
    return hint or nearest(name, options, shown=options)


def option_meant(name: str) -> str | None:
    """The option, such as ``training.max_epochs``, that ``epochs`` stands for; ``None`` if unclear.

    Options of every choice of every group count.
    """
    schemas = {group: [base, *SCHEMAS.get(group, {}).values()] for group, base in GROUPS.items()}
    options = _by_last_name(schemas) | {group: group for group in GROUPS} | SYNONYMS
    group, _, last = name.rpartition(".")
    if any(last in _fields(schema) for schema in schemas.get(group, ())):
        return name
    found = dict.fromkeys(options[similar] for similar in closest(name, options))
    return next(iter(found)) if len(found) == 1 else None


def _by_last_name(schemas: Mapping[str, Iterable[type]]) -> dict[str, str]:
    """All options that can be set, by their names without the group's."""
    options = {
        field: f"{group}.{field}"
        for group, kinds in schemas.items()
        for schema in kinds
        for field in _fields(schema)
        if field not in UNSETTABLE
    }
    return options | {field: field for field in _fields(Config) if field not in GROUPS}


def _fields(schema: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(schema)}
