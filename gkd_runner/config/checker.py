"""Check single configurations: every override, and then what they say together."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import hydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gkd_runner.common.errors import ConfigError, nearest, on_one_line
from gkd_runner.config.files import SUFFIXES, is_file_choice
from gkd_runner.config.schemas import choices_in
from gkd_runner.config.typed import to_config
from gkd_runner.methods import CONF_DIRS
from gkd_runner.options.schema import GROUPS, Config

OWN_FILES = {
    "dataset": " (your own graph: make my.npz with gkd-import, then dataset=my.npz)",
    "teacher": " (a teacher from elsewhere: teacher=my-logits.npz)",
}
"""The part of the message about an unknown choice that tells of files, by group."""


class Checker:
    """Checks cells; of ``several``, those that share a group's choice share its composition.

    Attributes:
        searched: the override by which Hydra finds the folders other than this package's.
    """

    def __init__(self, folders: Sequence[Path], *, several: bool = True) -> None:
        self._groups, self._several = choices_in(folders), several
        paths = ",".join(f"file://{folder}" for folder in folders[1:])
        self.searched = [f"hydra.searchpath=[{paths}]"] if paths else []
        self._composed = _shipped if [*folders] == CONF_DIRS else cache(_compose)

    def check(self, cell: Sequence[Override]) -> tuple[Config | None, list[str]]:
        """The configuration of one combination of overrides, if it has one, and all mistakes."""
        datasets = [o.value() for o in cell if o.key_or_group == "dataset"]
        custom = any(value == "custom" or is_file_choice("dataset", value) for value in datasets)
        problems = [self._problem(override, custom=custom) for override in cell]
        sound = [o for o, problem in zip(cell, problems, strict=True) if not problem]
        mistakes = [problem for problem in problems if problem]
        try:
            composed = self._compose([o for o in sound if o.key_or_group in self._groups])
        except HydraException as error:  # of groups that a folder of the user's adds
            return None, [*mistakes, str(error).partition("\n")[0]]
        options = [o for o in sound if o.key_or_group not in self._groups]
        mistakes += [problem for option in options if (problem := _set(composed, option))]
        try:
            return to_config(composed), mistakes
        except ConfigError as error:
            return None, mistakes + error.mistakes

    def _compose(self, choices: Sequence[Override]) -> DictConfig:
        """The configuration with these choices, where each group is composed by Hydra just once."""
        own = [choice for choice in choices if choice.key_or_group in GROUPS and self._several]
        others = tuple(choice.input_line or "" for choice in choices if choice not in own)
        others = (*others, *self.searched)
        composed = copy.deepcopy(self._composed(*others))
        OmegaConf.set_struct(composed, False)
        for choice in own:
            group = choice.key_or_group
            composed[group] = self._composed(*others, choice.input_line or "")._get_node(group)
        return composed

    def _problem(self, override: Override, *, custom: bool) -> str | None:
        key = override.key_or_group
        group, _, name = key.partition(".")
        if override.is_delete():
            return f"{override.input_line} removes what every job needs; leave it out"
        if override.package is not None:
            return (
                f"{override.input_line} moves a group from its place; leave out @ and what follows"
            )
        if key in GROUPS and (override.is_add() or override.is_force_add()):
            plain = (override.input_line or "").lstrip("+")
            return f"{override.input_line}: every job has a {key}; write {plain}"
        if key in self._groups:
            return _choice(override, self._groups[key])
        if key == "dataset.family":
            return (
                f"{override.input_line}: the family belongs to the graph; choose with dataset=..."
            )
        if name == "name" and group in self._groups and not (group == "dataset" and custom):
            return f"{override.input_line} renames what it does not change; choose with {group}=..."
        return None


def _compose(*choices: str) -> DictConfig:
    return hydra.compose("train", [*choices])


_shipped = lru_cache(maxsize=512)(_compose)
"""Compositions without folders of the user's, whose files may change between two calls."""


def _set(composed: DictConfig, override: Override) -> str | None:
    """Set one option in ``composed``; the message if it has no place there."""
    key, value = override.key_or_group, override.value()
    try:
        try:
            OmegaConf.update(composed, key, value, force_add=True)
        except OmegaConfBaseException:  # of another type than the value so far: the schema judges
            OmegaConf.update(composed, key, value, merge=False, force_add=True)
    except (OmegaConfBaseException, ValueError) as error:
        return f"{override.input_line} cannot be set: {on_one_line(str(error))}"
    return None


def _choice(override: Override, allowed: Sequence[str]) -> str | None:
    group, value = override.key_or_group, override.value()
    if value in allowed or is_file_choice(group, value):
        return None
    ends = SUFFIXES.get(group, ())
    files = sorted(path.name for path in Path().iterdir() if path.suffix in ends)
    hint = nearest(str(value), [*allowed, *files])
    return f"{group}={value} is not one of {', '.join(allowed)}{hint}{OWN_FILES.get(group, '')}"
