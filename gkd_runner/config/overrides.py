"""The words of a command line as Hydra's overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep, ValueType
from hydra.errors import HydraException

from gkd_runner.common.errors import on_one_line
from gkd_runner.config.files import register_files
from gkd_runner.config.shorthand import list_mistake, written_out


def chooses_sweeper(texts: Iterable[str]) -> bool:
    """True if a command line names a sweeper, which chooses the cells as it goes."""
    return any(text.startswith("hydra/sweeper=") for text in texts)


def parse(
    texts: Iterable[str], *, multirun: bool, several: str = "add -m to run each of them"
) -> tuple[list[Override], list[str]]:
    """The overrides that ``texts`` say, and the mistakes of those that say none.

    Args:
        texts: words of a command line, with lists and files as people type them.
        multirun: an override may give several values.
        several: what to do about several values otherwise.
    """
    parser, overrides, mistakes = OverridesParser.create(), [], []
    texts = written_out(texts)
    sweeper = chooses_sweeper(texts)
    for text in texts:
        if mistake := list_mistake(text):
            mistakes.append(mistake)
            continue
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException:
            mistakes.append(_unreadable(text))
            continue
        if override.is_sweep_override() and not multirun:
            mistakes.append(f"{text} gives several values; {several}")
        elif override.value_type == ValueType.INTERVAL_SWEEP and not sweeper:
            mistakes.append(
                f"{text}: an interval needs a sweeper that searches; list values instead"
            )
        elif mistake := _values_mistake(override):
            mistakes.append(f"{text} {mistake}")
        else:
            overrides.append(override)
    register_files(overrides)
    return overrides, mistakes + _repeated(overrides)


def _repeated(overrides: Sequence[Override]) -> list[str]:
    """Report swept options that are given more than once, as labels would have all of them.

    Of options with one value the last counts, as everywhere in Hydra.
    """
    given: dict[str, list[Override]] = {}
    for override in overrides:
        given.setdefault(override.key_or_group, []).append(override)
    return [
        f"{key} is swept and given more than once"
        f" ({', '.join(override.input_line or '' for override in same)}); give it once"
        for key, same in given.items()
        if len(same) > 1 and any(override.is_sweep_override() for override in same)
    ]


def _values_mistake(override: Override) -> str | None:
    """The mistake in the values of ``override``, which Hydra has parsed, or ``None``."""
    value = override.value()
    if not isinstance(value, Sweep) and _holds_sweep(value):
        return "has a sweep inside a list; list its values one by one"
    try:
        values(override, {})
    except (HydraException, ValueError) as error:  # such as range(0,1,0)
        return f"is no list of values ({on_one_line(str(error))}); list them one by one"
    return None


def _holds_sweep(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_sweep, value.values()))
    return isinstance(value, Sweep) or (isinstance(value, list) and any(map(_holds_sweep, value)))


def _unreadable(text: str) -> str:
    key, equals, value = text.partition("=")
    if not equals:
        return f"{text} is not of the form option=value"
    return f"{text} has characters that need quotes of their own: '{key}=\"{value}\"'"


def values(override: Override, groups: Mapping[str, list[str]]) -> list[Override]:
    """An override for each value of ``override``; none for an interval, which is searched."""
    if override.value_type == ValueType.INTERVAL_SWEEP:
        return []
    if not override.is_sweep_override():
        return [override]
    items: Iterable[object] = ()
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        items = override.value().filter(groups.get(override.key_or_group, []))  # type: ignore[union-attr]
    else:
        items = override.sweep_string_iterator()
    texts = [f"{override.get_key_element()}={item}" for item in items]
    return OverridesParser.create().parse_overrides(texts)
