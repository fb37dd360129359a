"""Check a command line before Hydra runs it, so that every mistake is reported at once.

Hydra stops at the first mistake and lets ``+key=value`` pass; here each override is looked at,
sweeps value by value, and nothing is written before all are sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import OmegaConf

from gkd_runner.config.build import to_config
from gkd_runner.config.paths import conf_dir
from gkd_runner.errors import ConfigError, nearest

_UNCHECKED_SWEEPS = (ValueType.GLOB_CHOICE_SWEEP, ValueType.INTERVAL_SWEEP)


def check_command_line(argv: Sequence[str]) -> None:
    """Raise ``ConfigError`` with every mistake in ``argv``; ``--help`` and the like pass."""
    args = get_args_parser().parse_args(argv)
    if args.help or args.hydra_help or args.shell_completion or args.info:
        return
    overrides, mistakes = _parse(args.overrides, multirun=args.multirun)
    folders = [conf_dir(), *([Path(args.config_dir).absolute()] if args.config_dir else [])]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for variant in _variants(overrides):
            mistakes += _check(variant, folders)
    if mistakes:
        raise ConfigError(dict.fromkeys(mistakes))


def _parse(texts: Iterable[str], *, multirun: bool) -> tuple[list[Override], list[str]]:
    parser, overrides, mistakes = OverridesParser.create(), [], []
    for text in texts:
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException:
            mistakes.append(f"{text} is not of the form option=value")
            continue
        if override.is_sweep_override() and not multirun:
            mistakes.append(f"{text} gives several values; add -m to run each of them")
        elif not override.key_or_group.startswith("hydra"):
            overrides.append(override)
    return overrides, mistakes


def _variants(overrides: Sequence[Override]) -> Iterator[list[Override]]:
    """Each swept value in turn, the other sweeps at their first value."""
    options = [_single_values(override) for override in overrides]
    first = [choices[0] for choices in options if choices]
    yield first
    for position, choices in enumerate(options):
        for choice in choices[1:]:
            rest = [other[0] for index, other in enumerate(options) if index != position and other]
            yield [*rest, choice]


def _single_values(override: Override) -> list[Override]:
    if override.value_type in _UNCHECKED_SWEEPS:
        return []
    if not override.is_sweep_override():
        return [override]
    parser = OverridesParser.create()
    texts = [f"{override.get_key_element()}={item}" for item in override.sweep_string_iterator()]
    return parser.parse_overrides(texts)


def _check(overrides: Sequence[Override], folders: Sequence[Path]) -> list[str]:
    groups = _groups(folders)
    chosen, mistakes = [], []
    for override in overrides:
        if override.is_delete():
            mistakes.append(f"{override.input_line} removes what every job needs; leave it out")
        elif override.key_or_group in groups:
            problem = _choice(override, groups[override.key_or_group])
            mistakes += [problem] if problem else []
            chosen += [] if problem else [override.input_line or ""]
    search_path = [f"hydra.searchpath=[{','.join(f'file://{f}' for f in folders[1:])}]"]
    composed = hydra.compose("train", chosen + (search_path if folders[1:] else []))
    OmegaConf.set_struct(composed, False)
    for override in overrides:
        if override.key_or_group not in groups and not override.is_delete():
            key, value = override.key_or_group, override.value()
            OmegaConf.update(composed, key, value, force_add=True)
    try:
        to_config(composed)
    except ConfigError as error:
        mistakes += error.mistakes
    return mistakes


def _groups(folders: Sequence[Path]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*/*.yaml")):
            found.setdefault(path.parent.name, []).append(path.stem)
    return found


def _choice(override: Override, allowed: Sequence[str]) -> str | None:
    value = override.value()
    if value in allowed or value is None:
        return None
    shown = ", ".join(allowed)
    return f"{override.key_or_group}={value} is not one of {shown}{nearest(str(value), allowed)}"
