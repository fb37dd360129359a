"""From a composed Hydra config to a typed ``Config``, with every mistake reported at once."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gkd_runner.config.paths import conf_dir
from gkd_runner.config.presets import register_resolvers
from gkd_runner.config.rules import check_field, check_together
from gkd_runner.config.schema import GROUPS, SCHEMAS, Config, schema_of
from gkd_runner.errors import ConfigError, nearest


def compose(overrides: list[str] | None = None) -> Config:
    """The configuration that ``gkd-train`` would run with these command-line ``overrides``.

    Raises ``ConfigError`` with all mistakes. For notebooks, scripts and tests.
    """
    import hydra

    register_resolvers()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return to_config(hydra.compose("train", overrides or []))


def to_config(composed: DictConfig) -> Config:
    """Check a composed config against the schema and build the dataclasses.

    Refuses unknown keys however they came in, wrong types, values out of range, missing values
    and combinations that cannot run; raises one ``ConfigError`` that lists them all.
    """
    mistakes: list[str] = []
    schemas = _schemas(composed)
    typed = OmegaConf.structured(Config)
    for group, schema in schemas.items():
        typed[group] = OmegaConf.structured(schema)
    for path, value in _leaves(composed, mistakes):
        problem = _set(typed, path, value, schemas)
        if problem:
            mistakes.append(problem)
    mistakes += [f"{path} has no value; give {path}=..." for path in _missing(typed, mistakes)]
    if not OmegaConf.missing_keys(typed):
        config: Config = OmegaConf.to_object(typed)  # type: ignore[assignment]
        mistakes += check_together(config)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def field_at(path: str, schemas: dict[str, type]) -> dataclasses.Field[Any] | str:
    """The schema's field for a dotted path, or the message that says there is none."""
    head, _, rest = path.partition(".")
    owner: type = schemas.get(head, Config) if rest else Config
    name = rest or head
    fields = {field.name: field for field in dataclasses.fields(owner)}
    if head in GROUPS and not rest:
        return f"{path} is a group; choose an option with {path}=<name>"
    if name in fields and (not rest or head in schemas):
        return fields[name]
    allowed = [f"{head}.{name}" if rest else name for name in fields]
    if rest and head not in schemas:
        allowed = [*schemas, *(field.name for field in dataclasses.fields(Config))]
    shown = ", ".join(key.rpartition(".")[2] for key in allowed)
    where = f"{head} has: {shown}" if rest and head in schemas else f"the options are: {shown}"
    return f"{path} is not an option{nearest(path, allowed)} ({where})"


def _schemas(composed: DictConfig) -> dict[str, type]:
    names = {group: OmegaConf.select(composed, f"{group}.name") for group in GROUPS}
    return {group: schema_of(group, str(name)) for group, name in names.items()}


def _leaves(composed: DictConfig, mistakes: list[str]) -> Iterator[tuple[str, Any]]:
    for key in composed:
        if OmegaConf.is_dict(composed._get_node(key)):  # groups
            for name in composed[key]:
                yield from _leaf(composed, f"{key!s}.{name!s}", mistakes)
        else:
            yield from _leaf(composed, str(key), mistakes)


def _leaf(composed: DictConfig, path: str, mistakes: list[str]) -> Iterator[tuple[str, Any]]:
    try:
        if OmegaConf.is_missing(*_parent(composed, path)):
            return
        value = OmegaConf.select(composed, path)
    except OmegaConfBaseException as error:
        mistakes.append(f"{path} cannot be resolved: {str(error).splitlines()[0]}")
        return
    yield path, OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _parent(composed: DictConfig, path: str) -> tuple[Any, str]:
    head, _, rest = path.rpartition(".")
    return (composed[head] if head else composed), rest


def _set(typed: DictConfig, path: str, value: Any, schemas: dict[str, type]) -> str | None:
    field = field_at(path, schemas)
    if isinstance(field, str):
        return field
    try:
        OmegaConf.update(typed, path, value)
    except OmegaConfBaseException:
        return f"{path}={value!r} is not {_type_name(field)}"
    return check_field(path, OmegaConf.select(typed, path), field)


def _missing(typed: DictConfig, mistakes: list[str]) -> list[str]:
    named = {mistake.split("=")[0].split(" ")[0] for mistake in mistakes}
    return sorted(str(key) for key in OmegaConf.missing_keys(typed) if key not in named)


def _type_name(field: dataclasses.Field[Any]) -> str:
    hints = {name: hint for schema in _all_schemas() for name, hint in _hints(schema).items()}
    hint = hints[field.name]
    names = {int: "an integer", float: "a number", str: "text", bool: "true or false",
             types.NoneType: "null"}  # fmt: skip
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        return f"a list such as [{'0, 1' if item is int else 'a, b'}] (each item {names[item]})"
    return " or ".join(names[part] for part in typing.get_args(hint) or (hint,))


def _all_schemas() -> list[type]:
    special = [schema for options in SCHEMAS.values() for schema in options.values()]
    return [Config, *GROUPS.values(), *special]


def _hints(schema: type) -> dict[str, Any]:
    hints = typing.get_type_hints(schema)
    return {name: hint for name, hint in hints.items() if not dataclasses.is_dataclass(hint)}


def data_dir(config: Config) -> Path:
    """The data folder with ``~`` expanded."""
    return Path(config.data_dir).expanduser()
