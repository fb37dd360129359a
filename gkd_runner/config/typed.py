"""From a composed Hydra config to a typed ``Config``, with every mistake reported at once."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.fields import check_field
from gkd_runner.config.names import field_at
from gkd_runner.config.rules import check_together
from gkd_runner.config.schemas import schema_of
from gkd_runner.options.schema import GROUPS, Config, ProtocolConfig


def to_config(composed: DictConfig) -> Config:
    """Check a composed config against the schema and build the dataclasses.

    Refuses unknown keys however they came in, wrong types, values out of range, missing values
    and combinations that cannot run; raises one ``ConfigError`` that lists them all.
    """
    mistakes: dict[str, str] = {}  # by option
    schemas = _schemas(composed)
    typed = copy.deepcopy(_blank(*schemas.values()))
    for path, value in _leaves(composed, mistakes):
        problem = _set(typed, path, value, schemas)
        if problem:
            mistakes[path] = problem
    missing = sorted(map(str, OmegaConf.missing_keys(typed)))
    for path in missing:
        mistakes.setdefault(path, f"{path} has no value; give {path}=...")
    told = list(mistakes.values())
    if not missing:
        config: Config = OmegaConf.to_object(typed)  # type: ignore[assignment]
        told += check_together(config)
    if told:
        raise ConfigError(told)
    config.protocol.name = _protocol_name(config.protocol)
    return config


@cache
def _blank(*schemas: type) -> DictConfig:
    """The schema of all options, given those of the groups in their order; to be copied."""
    blank: DictConfig = OmegaConf.structured(Config)
    for group, schema in zip(GROUPS, schemas, strict=True):
        blank[group] = OmegaConf.structured(schema)
    return blank


def _protocol_name(protocol: ProtocolConfig) -> str:
    """The shipped name and a mark of its changes, so that no two protocols share a name.

    ``-labels10`` for the percentage of labels kept, ``-modified-<hash>`` for all else.
    """
    percent = 100 * protocol.label_fraction
    labels = "" if percent == 100 else f"-labels{percent:g}"
    shipped = _shipped_protocol(protocol.name)
    options = dataclasses.asdict(protocol)
    if not shipped or shipped | {"label_fraction": protocol.label_fraction} == options:
        return protocol.name + labels
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
    return f"{protocol.name}-modified-{digest[:4]}{labels}"


@cache
def _shipped_protocol(name: str) -> dict[str, Any]:
    path = conf_dir() / "protocol" / f"{name}.yaml"
    shipped = OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else {}
    return typing.cast("dict[str, Any]", shipped)


def _schemas(composed: DictConfig) -> dict[str, type]:
    return {group: schema_of(group, _name(composed, group)) for group in GROUPS}


def _name(composed: DictConfig, group: str) -> str:
    try:
        return str(OmegaConf.select(composed, f"{group}.name"))
    except OmegaConfBaseException:  # reported with the option itself
        return ""


def _leaves(composed: DictConfig, mistakes: dict[str, str]) -> Iterator[tuple[str, Any]]:
    for key in composed:
        node = composed._get_node(key)
        names = [f"{key!s}.{name!s}" for name in composed[key]] if OmegaConf.is_dict(node) else []
        for path in names or [str(key)]:
            yield from _leaf(composed, path, mistakes)


def _leaf(composed: DictConfig, path: str, mistakes: dict[str, str]) -> Iterator[tuple[str, Any]]:
    head, _, name = path.rpartition(".")
    try:
        if OmegaConf.is_missing(composed[head] if head else composed, name):
            return
        value = OmegaConf.select(composed, path)
        if OmegaConf.is_config(value):
            value = OmegaConf.to_container(value, resolve=True)
    except OmegaConfBaseException as error:
        mistakes[path] = f"{path} cannot be resolved: {str(error).splitlines()[0]}"
        return
    yield path, value


def _set(typed: DictConfig, path: str, value: Any, schemas: dict[str, type]) -> str | None:
    field = field_at(path, schemas)
    if isinstance(field, str):
        return field
    fits = not _is_nested(value)
    try:
        if fits:
            OmegaConf.update(typed, path, value)
    except OmegaConfBaseException:
        fits = False
    if not fits:
        owner = schemas[path.partition(".")[0]] if "." in path else Config
        return f"{path}={value!r} is not {_type_name(typing.get_type_hints(owner)[field.name])}"
    return check_field(path, OmegaConf.select(typed, path), field)


def _is_nested(value: Any) -> bool:
    """True for a list of lists or dictionaries, which OmegaConf lets pass as a list of numbers."""
    return isinstance(value, list) and any(isinstance(item, list | dict) for item in value)


def _type_name(hint: Any) -> str:
    names = {
        int: "an integer",
        float: "a number",
        str: "text",
        bool: "true or false",
        types.NoneType: "null",
    }
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        example = "[0, 1]" if item is int else "[a, b]"
        return f"a list such as {example} (each item {names[item]})"
    parts = typing.get_args(hint) or (hint,)
    return " or ".join(names[part] if part in names else _type_name(part) for part in parts)
