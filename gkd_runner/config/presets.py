"""Hyperparameters from the papers' tables, as OmegaConf resolvers.

A YAML value such as ``${preset:tau,1.0}`` reads column ``tau`` of the row that fits the rest of
the configuration, or the plain default after the comma. Giving the option on the command line
replaces the interpolation, so the command line always wins.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.paths import conf_dir
from gkd_runner.config.help import groups_text, options_text
from gkd_runner.config.schemas import conf_file
from gkd_runner.methods import CONF_DIRS, METHODS
from gkd_runner.methods.base import PresetTable
from gkd_runner.options.schema import Config

COMPARED = ("dataset", "protocol", "teacher", "student", "method", "training")
"""Groups whose options count as changed when they differ from what the choices alone give."""

TABLES = {method.presets.file: method.presets for method in METHODS.values() if method.presets}
"""The tables of published hyperparameters, by the name of their file."""

KEYS = ("dataset", "teacher", "setting", "method")
"""The columns by which a row is looked up; not every table has the last."""


@dataclass(frozen=True)
class PresetKey:
    """The choices that a row is looked up by; ``table`` is ``preset.table``."""

    preset: str
    table: str | None
    dataset: str
    teacher: str
    setting: str
    method: str


@dataclass(frozen=True)
class Row:
    """One row of a table; ``exact`` if it is that of the whole key."""

    name: str
    values: Mapping[str, str]
    exact: bool


@dataclass(frozen=True)
class Preset:
    """The values of a key in the tables.

    Attributes:
        values: by the name of the column.
        rows: the names of the rows that they stand in.
        kind: as in ``Hyperparameters``.
        unsupported: a part of the published model that does not exist here, or empty.
    """

    values: Mapping[str, str]
    rows: tuple[str, ...]
    kind: str = "defaults"
    unsupported: str = ""


@cache
def find_preset(key: PresetKey) -> Preset:
    """Collect the hyperparameters of ``key``; empty where nothing was published for its dataset.

    The options of a method come from its own table. All else, the architecture and optimisers,
    comes from there as well with ``preset=paper``; with ``preset=common``, and for methods without
    a table, from the table that ``preset.table`` names.
    """
    if key.preset == "none":
        return Preset({}, ())
    method = METHODS[key.method]
    own = _row(method.presets, key)
    keeps_own = method.presets and key.preset == "paper"
    shared = own if keeps_own else _row(TABLES.get(key.table or ""), key)
    options = {field.name for field in fields(method.options)}
    values = {k: v for k, v in (shared.values if shared else {}).items() if k not in options}
    values |= {k: v for k, v in (own.values if own else {}).items() if k in options}
    rows = tuple(dict.fromkeys(row.name for row in (shared, own) if row))
    kind = "published" if own and own.exact else "inferred"
    kind = "common" if key.preset == "common" else kind
    unsupported = shared.values.get("unsupported", "") if shared else ""
    return Preset(values, rows, kind if rows else "defaults", unsupported)


def lacks_row(key: PresetKey) -> bool:
    """True if the method's paper has a table of hyperparameters, but no row for ``key``."""
    method = METHODS.get(key.method)
    return bool(method and method.presets) and find_preset(key).kind != "published"


@dataclass(frozen=True)
class Hyperparameters:
    """The origin of the hyperparameters of a configuration.

    Attributes:
        kind: ``published`` for the method's own row, ``inferred`` for the nearest row, ``common``
            for the row that all methods share, ``defaults`` for the plain defaults of ``conf/``.
        rows: the rows of the papers' tables that were read.
        changed: options that differ from what the choices alone give, with their values.
    """

    kind: str
    rows: tuple[str, ...]
    changed: dict[str, Any]


def hyperparameters(config: Config) -> Hyperparameters:
    """The origin of the hyperparameters of ``config``."""
    preset = find_preset(preset_key(config))
    return Hyperparameters(preset.kind, preset.rows, dict(_changed(config)))


def hyperparameters_text(
    origin: Hyperparameters, *, preset: str, dataset: str, calibrated: bool
) -> str:
    """The origin as one sentence, for people."""
    kind = {"inferred": "inferred from"}.get(origin.kind, origin.kind)
    if origin.rows:
        parts = [f"{kind}: {' and '.join(origin.rows)}"]
    elif preset == "none":
        parts = ["plain defaults"]
    else:
        parts = [f"plain defaults (nothing published for {dataset})"]
    if origin.changed:
        parts.append(f"changed: {changes_text(origin.changed)}")
    if calibrated:
        parts.append("teacher calibrated")
    return "; ".join(parts)


def changes_text(changed: Mapping[str, Any]) -> str:
    """Options and their values as on the command line, separated by commas."""
    return ", ".join(
        f"{option}={value:g}" if isinstance(value, float) else f"{option}={value}"
        for option, value in changed.items()
    )


def shipped_name(name: str) -> str:
    """The name of the protocol in ``conf/`` that a modified protocol was made from.

    Any other name is returned unchanged.
    """
    return re.split("-modified-|-labels", name)[0]


def all_labels(name: str) -> str:
    """The name of the protocol without the mark of a smaller share of labels."""
    return name.partition("-labels")[0]


@cache
def _loaded(path: Path) -> DictConfig:
    loaded = OmegaConf.load(path)
    assert isinstance(loaded, DictConfig)
    return loaded


def _changed(config: Config) -> Iterator[tuple[str, Any]]:
    """The options that differ from what the same choices alone give."""
    root: Any = _loaded(conf_dir() / "train.yaml").copy()
    for group in ("dataset", "protocol", "setting", "teacher", "student", "method", "preset"):
        name = shipped_name(getattr(config, group).name)
        own_graph = group == "dataset" and config.dataset.family == "custom"
        path = conf_file(group, f"{'custom' if own_graph else name}.yaml")
        root[group] = _loaded(path) if path else asdict(getattr(config, group))
    ignored = {"dataset.name", "dataset.path", "protocol.name"}
    for group in COMPARED:
        own = getattr(config, group)
        defaults = {each.name: each.default for each in fields(own)}
        for name, value in asdict(own).items():
            plain = root[group].get(name, defaults[name])
            if f"{group}.{name}" not in ignored and plain != value:
                yield f"{group}.{name}", value


@cache
def read_table(name: str) -> tuple[dict[str, str], ...]:
    """The rows of ``conf/method/<name>.csv``, as text."""
    path = conf_file("method", f"{name}.csv")
    if path is None:
        raise ConfigError(
            [f"the table {name}.csv of published hyperparameters is not in conf/method/"]
        )
    with path.open(newline="", encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


def _row(table: PresetTable | None, key: PresetKey) -> Row | None:
    """The row of ``key``; where the paper has none, the first of its dataset."""
    rows = [row for row in read_table(table.file) if row["dataset"] == key.dataset] if table else []
    if not table or not rows:
        return None
    wanted = {name: getattr(key, name) for name in KEYS if name in rows[0]}
    row = next((row for row in rows if wanted.items() <= row.items()), rows[0])
    name = f"{table.title} row {'/'.join(row[name] for name in KEYS[:3])}"
    values = {name: value for name, value in row.items() if name not in KEYS and value}
    return Row(name, values, wanted.items() <= row.items())


def preset_key(config: Config | Container) -> PresetKey:
    """The preset key of a configuration, finished or being composed."""
    names = (_selected(config, f"{group}.name") for group in KEYS)
    return PresetKey(
        str(_selected(config, "preset.name")), _selected(config, "preset.table"), *names
    )


def _selected(config: Config | Container, path: str) -> Any:
    if isinstance(config, Container):
        return OmegaConf.select(config, path)
    group, _, name = path.partition(".")
    return getattr(getattr(config, group), name)


def _number(text: str) -> float | int:
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _preset(column: str, default: Any, *, _root_: DictConfig) -> Any:
    key = preset_key(_root_)
    value = find_preset(key).values.get(column)
    return default if value is None else _number(value)


def _by_method(option: str, default: Any, *, _root_: DictConfig) -> Any:
    return METHODS[preset_key(_root_).method].student_options.get(option, default)


def _on_planetoid(yes: Any, no: Any, *, _root_: DictConfig) -> Any:
    return yes if OmegaConf.select(_root_, "dataset.family") == "planetoid" else no


def register_resolvers() -> None:
    """Make known what the YAML files interpolate."""
    folders = [f"file://{folder}" for folder in CONF_DIRS[1:]]
    OmegaConf.register_new_resolver("outside_methods", lambda: folders, replace=True)
    OmegaConf.register_new_resolver("groups", groups_text, replace=True)
    OmegaConf.register_new_resolver("options", options_text, replace=True)
    OmegaConf.register_new_resolver("preset", _preset, replace=True)
    OmegaConf.register_new_resolver("by_method", _by_method, replace=True)
    OmegaConf.register_new_resolver("on_planetoid", _on_planetoid, replace=True)
