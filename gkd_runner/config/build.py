"""From a composed Hydra config to a typed ``Config``, with every mistake reported at once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gkd_runner.common.errors import ConfigError, nearest
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.fields import check_field
from gkd_runner.config.presets import register_resolvers
from gkd_runner.config.rules import check_together
from gkd_runner.config.schemas import schema_of
from gkd_runner.options.schema import GROUPS, Config, ProtocolConfig

SYNONYMS = {
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


def compose(overrides: list[str] | None = None) -> Config:
    """The configuration that ``gkd-train`` runs with these command-line ``overrides``.

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
    mistakes: dict[str, str] = {}  # by option
    schemas = _schemas(composed)
    typed = OmegaConf.structured(Config)
    for group, schema in schemas.items():
        typed[group] = OmegaConf.structured(schema)
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


def field_at(path: str, schemas: dict[str, type]) -> dataclasses.Field[Any] | str:
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


def _nearest_option(path: str, schemas: dict[str, type]) -> str:
    """The most similar option, looked for in its group first and then by its last name anywhere."""
    group, _, name = path.rpartition(".")
    own = _fields(schemas[group]) if group in schemas else {}
    inside = [f"{group}.{field}" for field in own if field not in UNSETTABLE]
    if SYNONYMS.get(name):
        return f"; did you mean {SYNONYMS[name]!r}?"
    top = [field for field in _fields(Config) if field not in GROUPS]
    by_leaf = {f: f"{g}.{f}" for g, schema in schemas.items() for f in _fields(schema)}
    by_leaf = {f: path for f, path in by_leaf.items() if f not in UNSETTABLE}
    by_leaf |= {field: field for field in (top if group else [*top, *GROUPS])}
    hint = nearest(path, inside) if inside else ""
    return hint or nearest(name, by_leaf, shown=by_leaf)


def _fields(schema: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(schema)}


def _schemas(composed: DictConfig) -> dict[str, type]:
    names = {group: OmegaConf.select(composed, f"{group}.name") for group in GROUPS}
    return {group: schema_of(group, str(name)) for group, name in names.items()}


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
    except OmegaConfBaseException as error:
        mistakes[path] = f"{path} cannot be resolved: {str(error).splitlines()[0]}"
        return
    yield path, OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _set(typed: DictConfig, path: str, value: Any, schemas: dict[str, type]) -> str | None:
    field = field_at(path, schemas)
    if isinstance(field, str):
        return field
    try:
        OmegaConf.update(typed, path, value)
    except OmegaConfBaseException:
        owner = schemas[path.partition(".")[0]] if "." in path else Config
        return f"{path}={value!r} is not {_type_name(typing.get_type_hints(owner)[field.name])}"
    return check_field(path, OmegaConf.select(typed, path), field)


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
    return " or ".join(names[part] for part in typing.get_args(hint) or (hint,))


def capped(config: Config, width: int) -> Config:
    """Cap both hidden widths at ``width``. Raises ``ConfigError`` if that is invalid."""
    teacher = dataclasses.replace(config.teacher, hidden_dim=min(width, config.teacher.hidden_dim))
    student = dataclasses.replace(config.student, hidden_dim=min(width, config.student.hidden_dim))
    narrower = dataclasses.replace(config, teacher=teacher, student=student)
    if mistakes := check_together(narrower):
        raise ConfigError(mistakes)
    return narrower


def data_dir(config: Config) -> Path:
    """The data folder with ``~`` expanded."""
    return Path(config.data_dir).expanduser()
