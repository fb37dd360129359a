"""The dataclass of every choice of every group, and the YAML file that has its values."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gkd_runner.methods import CONF_DIRS, METHODS
from gkd_runner.options.schema import GROUPS, GatConfig, PrecomputedConfig, SyntheticConfig

SCHEMAS: dict[str, dict[str, type]] = {
    "dataset": {"synthetic": SyntheticConfig},
    "teacher": {"gat": GatConfig, "precomputed": PrecomputedConfig},
    "method": {name: method.options for name, method in METHODS.items()},
}
"""Choices with options of their own, by group."""


def schema_of(group: str, name: str) -> type:
    """The dataclass that describes option ``name`` of ``group``."""
    return SCHEMAS.get(group, {}).get(name, GROUPS[group])


def conf_file(group: str, name: str) -> Path | None:
    """The file ``<group>/<name>`` of this package or of one that brings a method; else ``None``."""
    files = (folder / group / name for folder in CONF_DIRS)
    return next((path for path in files if path.is_file()), None)


def choices_in(folders: Iterable[Path]) -> dict[str, list[str]]:
    """The choices of every group that has YAML files in ``folders``."""
    choices: dict[str, list[str]] = {}
    for path in sorted(path for folder in folders for path in folder.glob("*/*.yaml")):
        choices.setdefault(path.parent.name, []).append(path.stem)
    return {group: sorted(choices[group]) for group in sorted(choices)}
