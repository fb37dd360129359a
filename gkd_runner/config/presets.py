"""Hyperparameters from the papers' tables, as OmegaConf resolvers.

A YAML value such as ``${preset:tau,1.0}`` reads column ``tau`` of the row that fits the rest of
the configuration, or the plain default after the comma. Giving the option on the command line
replaces the interpolation, so the command line always wins.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf

from gkd_runner.config.help import options_text
from gkd_runner.config.paths import conf_dir

METHOD_COLUMNS = (
    "lam", "tau", "alpha", "beta", "delta_1", "delta_2", "gamma_1", "gamma_2", "propagation_hops",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What a row is looked up by."""

    preset: str
    dataset: str
    setting: str
    teacher: str
    method: str

    @property
    def is_hgmd(self) -> bool:
        return self.method.startswith("hgmd")


@dataclass(frozen=True)
class Preset:
    """The values that a cell gets from the tables, and where they come from."""

    values: dict[str, str]
    source: str


@cache
def find_preset(cell: Cell) -> Preset:
    """Collect ``cell``'s hyperparameters; empty where nothing was published for its dataset.

    ``paper``: HGMD methods read the HGMD table (published for the GCN teacher, transductive and
    mixup only), the others the InfGraND table. ``common``: architecture and optimisers from the
    InfGraND table for every method; what is the method's own still from its own table.
    """
    if cell.preset == "none":
        return Preset({}, "plain defaults")
    infgrand = _row("infgrand", cell.dataset, cell.teacher, cell.setting)
    hgmd = _row("hgmd", cell.dataset)
    own = hgmd if cell.is_hgmd else infgrand if cell.method == "infgrand" else {}
    architecture = hgmd if cell.is_hgmd and cell.preset == "paper" else infgrand
    values = {key: value for key, value in architecture.items() if key not in METHOD_COLUMNS}
    values |= {key: value for key, value in own.items() if key in METHOD_COLUMNS}
    return Preset(values, _source(cell, architecture))


def _source(cell: Cell, architecture: dict[str, str]) -> str:
    if not architecture:
        return f"plain defaults (nothing published for {cell.dataset})"
    if cell.preset == "common":
        return f"common: InfGraND row {cell.dataset}/{cell.teacher}/{cell.setting}"
    if cell.is_hgmd:
        exact = (cell.teacher, cell.setting, cell.method) == ("gcn", "transductive", "hgmd-mixup")
        return _mark("HGMD", f"{cell.dataset}/gcn/transductive/hgmd-mixup", exact)
    row = f"{cell.dataset}/{cell.teacher}/{cell.setting}"
    return _mark("InfGraND", row, cell.method == "infgrand")


def _mark(table: str, row: str, exact: bool) -> str:
    return f"{'published' if exact else 'inferred from'}: {table} row {row}"


@cache
def read_table(name: str) -> tuple[dict[str, str], ...]:
    """The rows of ``conf/preset/<name>.csv``, as text."""
    with (conf_dir() / "preset" / f"{name}.csv").open(newline="", encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


def _row(table: str, dataset: str, teacher: str = "", setting: str = "") -> dict[str, str]:
    wanted = {"dataset": dataset}
    if teacher:
        wanted |= {"teacher": teacher, "setting": setting}
    for row in read_table(table):
        if wanted.items() <= row.items():
            return {key: value for key, value in row.items() if key not in wanted and value}
    return {}


def _cell(root: Container) -> Cell:
    groups = ("preset", "dataset", "setting", "teacher", "method")
    return Cell(*(str(OmegaConf.select(root, f"{group}.name")) for group in groups))


def _number(text: str) -> float | int:
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _preset(column: str, default: Any, *, _root_: DictConfig) -> Any:
    value = find_preset(_cell(_root_)).values.get(column)
    return default if value is None else _number(value)


def _preset_source(*, _root_: DictConfig) -> str:
    return find_preset(_cell(_root_)).source


def _on_planetoid(yes: Any, no: Any, *, _root_: DictConfig) -> Any:
    return yes if OmegaConf.select(_root_, "dataset.family") == "planetoid" else no


def register_resolvers() -> None:
    """Make known what the YAML files interpolate."""
    OmegaConf.register_new_resolver("options", options_text, replace=True)
    OmegaConf.register_new_resolver("preset", _preset, replace=True)
    OmegaConf.register_new_resolver("preset_source", _preset_source, replace=True)
    OmegaConf.register_new_resolver("on_planetoid", _on_planetoid, replace=True)
