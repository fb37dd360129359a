"""Beside each interpolated value, the YAML files say what it is; the comment must be right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from gkd_runner.common.paths import conf_dir
from gkd_runner.config.build import compose

DEFAULT_RUN, OTHERWISE = "in the default run", "on Cora with preset=paper"
INTERPOLATED = re.compile(r"^( *)(\w+): .*\$\{")
"""A line whose value is made from others, such as ``tau: ${preset:tau,1.0}``."""


def interpolated(path: Path) -> list[tuple[str, str]]:
    """Dotted option and line of each interpolated value; not those of Hydra's own section."""
    own = path.read_text(encoding="utf-8").partition("\nhydra:")[0].splitlines()
    group = "" if path.parent == conf_dir() else f"{path.parent.name}."
    found, above = [], ""
    for line in own:
        if re.fullmatch(r"\w+:", line):
            above = line.replace(":", ".")
        if match := INTERPOLATED.match(line):
            found.append((f"{group}{above if match[1] else ''}{match[2]}", line))
    return found


LINES = [
    pytest.param(path, option, line, id=f"{path.stem}:{option}")
    for path in sorted(conf_dir().rglob("*.yaml"))
    for option, line in interpolated(path)
]


def default_choices() -> dict[str, Any]:
    """The option that each group has in the default run."""
    entries = OmegaConf.load(conf_dir() / "train.yaml").defaults
    return {group: name for entry in entries if entry != "_self_" for group, name in entry.items()}


@pytest.mark.parametrize(("path", "option", "line"), LINES)
def test_the_comment_beside_an_interpolated_value_is_what_composing_gives(
    path: Path, option: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GKD_DATA", raising=False)
    group = path.parent.name
    of_default_run = path.parent == conf_dir() or default_choices()[group] == path.stem
    config = OmegaConf.structured(compose([] if of_default_run else [f"{group}={path.stem}"]))

    said, _, when = line.partition("  # ")[2].partition(" ")

    assert when == (DEFAULT_RUN if of_default_run else OTHERWISE)
    assert OmegaConf.create(f"said: {said}").said == OmegaConf.select(config, option)


def test_no_comment_of_this_kind_stands_anywhere_else() -> None:
    checked = {param.values[2] for param in LINES}
    kind = re.compile(f"{DEFAULT_RUN}|{OTHERWISE}")

    for path in conf_dir().rglob("*.yaml"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert {line for line in lines if kind.search(line)} <= checked
