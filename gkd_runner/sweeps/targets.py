"""The sweeps behind the papers' tables, and behind a comparison on the same teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gkd_runner.common.errors import ConfigError, nearest
from gkd_runner.config.command_line import Cell, check_command_line, check_trained
from gkd_runner.config.rules import check_together
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config


@dataclass(frozen=True)
class Target:
    """The cells of one table: every combination of these."""

    protocol: str
    preset: str
    methods: str
    datasets: str
    teachers: str
    settings: str
    seeds: str


SMALL = "cora,citeseer,pubmed,amazon-photo,coauthor-cs,coauthor-physics"
TARGETS = {
    "infgrand": Target(
        "infgrand", "paper", "infgrand,glnn,mlp", SMALL, "gcn,sage,gat",
        "transductive,inductive", "2022-2026",
    ),
    "hgmd": Target(
        "krd", "paper", "hgmd-mixup,hgmd-weight,mlp", f"{SMALL},ogbn-arxiv", "gcn",
        "transductive", "2024-2028",
    ),
    "glnn": Target(
        "glnn", "none", "glnn,mlp", "cora,citeseer,pubmed,amazon-computers,amazon-photo", "sage",
        "transductive,inductive", "0-9",
    ),
    "common": Target(
        "infgrand", "common", ",".join(METHODS), f"{SMALL},amazon-computers", "gcn,sage,gat",
        "transductive,inductive", "0-9",
    ),
}  # fmt: skip
"""``common``: all methods on the very same teachers, under InfGraND's protocol."""


def target_cells(
    name: str,
    own: Mapping[str, str | None],
    overrides: Sequence[str],
    max_width: int | None = None,
) -> list[Cell]:
    """The cells of the target ``name``.

    ``own`` may narrow ``datasets``, ``teachers``, ``settings``, ``methods`` and ``seeds``, by these
    names; ``overrides`` go to every cell; ``max_width`` caps the hidden widths. Raises
    ``ConfigError`` with all mistakes.
    """
    if name not in TARGETS:
        raise ConfigError(
            [f"target={name} is not one of {', '.join(TARGETS)}{nearest(name, TARGETS)}"]
        )
    target = TARGETS[name]
    options = [
        f"dataset={own.get('datasets') or target.datasets}",
        f"teacher={own.get('teachers') or target.teachers}",
        f"setting={own.get('settings') or target.settings}",
        f"method={own.get('methods') or target.methods}",
        f"protocol={target.protocol}",
        f"preset={target.preset}",
        f"seeds={own.get('seeds') or target.seeds}",
    ]
    cells = check_command_line(["-m", *options, *overrides])
    check_trained(cells)
    if max_width is None:
        return cells
    return [replace(cell, config=capped(cell.config, max_width)) for cell in cells]


def capped(config: Config, width: int) -> Config:
    """Cap both hidden widths at ``width``. Raises ``ConfigError`` if that is invalid."""
    teacher = replace(config.gnn, hidden_dim=min(width, config.gnn.hidden_dim))
    student = replace(config.student, hidden_dim=min(width, config.student.hidden_dim))
    narrower = replace(config, teacher=teacher, student=student)
    if mistakes := check_together(narrower):
        raise ConfigError(mistakes)
    return narrower
