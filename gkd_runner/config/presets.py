"""Hyperparameters from the papers' tables, as OmegaConf resolvers.

A YAML value such as ``${preset:tau,1.0}`` reads column ``tau`` of the row that fits the rest of
the configuration, or the plain default after the comma. Giving the option on the command line
replaces the interpolation, so the command line always wins.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf

from gkd_runner.common.paths import conf_dir
from gkd_runner.config.help import options_text
from gkd_runner.options.schema import Config

METHOD_COLUMNS = (
    "lam",
    "tau",
    "alpha",
    "beta",
    "delta_1",
    "delta_2",
    "gamma_1",
    "gamma_2",
    "propagation_hops",
)
COMPARED = ("dataset", "protocol", "teacher", "student", "method", "training")
"""Groups whose options count as changed when they differ from what the choices alone give."""


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

    @property
    def published(self) -> bool:
        """Whether the paper of the method has this very cell in its table."""
        hgmd = ("gcn", "transductive", "hgmd-mixup")
        return (self.teacher, self.setting, self.method) == hgmd or self.method == "infgrand"


@dataclass(frozen=True)
class Preset:
    """The values that a cell gets from the tables, and the rows they stand in."""

    values: dict[str, str]
    rows: tuple[str, ...]


@cache
def find_preset(cell: Cell) -> Preset:
    """Collect ``cell``'s hyperparameters; empty where nothing was published for its dataset.

    ``paper``: HGMD methods read the HGMD table (published for the GCN teacher, transductive and
    mixup only), the others the InfGraND table. ``common``: architecture and optimisers from the
    InfGraND table for every method; what is the method's own still from its own table.
    """
    if cell.preset == "none":
        return Preset({}, ())
    infgrand = _row("infgrand", cell.dataset, cell.teacher, cell.setting)
    hgmd = _row("hgmd", cell.dataset)
    own = hgmd if cell.is_hgmd else infgrand if cell.method == "infgrand" else {}
    architecture = hgmd if cell.is_hgmd and cell.preset == "paper" else infgrand
    values = {key: value for key, value in architecture.items() if key not in METHOD_COLUMNS}
    values |= {key: value for key, value in own.items() if key in METHOD_COLUMNS}
    names = {
        f"InfGraND row {cell.dataset}/{cell.teacher}/{cell.setting}": infgrand,
        f"HGMD row {cell.dataset}/gcn/transductive": hgmd,
    }
    used = [name for name, row in names.items() if row and (row is own or row is architecture)]
    return Preset(values, tuple(used))


def lacks_row(cell: Cell) -> bool:
    """Whether the method's paper has a table of hyperparameters, but no row for ``cell``."""
    has_table = cell.is_hgmd or cell.method == "infgrand"
    return has_table and not (cell.published and find_preset(cell).rows)


@dataclass(frozen=True)
class Hyperparameters:
    """Where the hyperparameters of a configuration come from.

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
    cell = Cell(*(getattr(config, group).name for group in _CELL_GROUPS))
    rows = find_preset(cell).rows
    kind = "published" if cell.published else "inferred"
    if cell.preset == "common":
        kind = "common"
    return Hyperparameters(kind if rows else "defaults", rows, dict(_changed(config)))


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
    """The protocol that a changed one's name goes back to; any other name as it is."""
    return re.split("-modified-|-labels", name)[0]


def all_labels(name: str) -> str:
    """The same protocol's name with all labels kept."""
    return name.partition("-labels")[0]


def _changed(config: Config) -> Iterator[tuple[str, Any]]:
    """The options that differ from what the same choices alone give."""
    root: Any = OmegaConf.load(conf_dir() / "train.yaml")
    for group in ("dataset", "protocol", "setting", "teacher", "student", "method", "preset"):
        name = shipped_name(getattr(config, group).name)
        own_graph = group == "dataset" and config.dataset.family == "custom"
        path = conf_dir() / group / f"{'custom' if own_graph else name}.yaml"
        root[group] = OmegaConf.load(path) if path.is_file() else asdict(getattr(config, group))
    ignored = {"dataset.name", "dataset.path", "protocol.name"}
    for group in COMPARED:
        for name, value in asdict(getattr(config, group)).items():
            if f"{group}.{name}" not in ignored and root[group][name] != value:
                yield f"{group}.{name}", value


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


_CELL_GROUPS = ("preset", "dataset", "setting", "teacher", "method")


def _cell(root: Container) -> Cell:
    return Cell(*(str(OmegaConf.select(root, f"{group}.name")) for group in _CELL_GROUPS))


def _number(text: str) -> float | int:
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _preset(column: str, default: Any, *, _root_: DictConfig) -> Any:
    value = find_preset(_cell(_root_)).values.get(column)
    return default if value is None else _number(value)


def _on_planetoid(yes: Any, no: Any, *, _root_: DictConfig) -> Any:
    return yes if OmegaConf.select(_root_, "dataset.family") == "planetoid" else no


def register_resolvers() -> None:
    """Make known what the YAML files interpolate."""
    OmegaConf.register_new_resolver("options", options_text, replace=True)
    OmegaConf.register_new_resolver("preset", _preset, replace=True)
    OmegaConf.register_new_resolver("on_planetoid", _on_planetoid, replace=True)
