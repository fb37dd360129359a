"""The footnotes on scores; what holds for most of a group's configurations is said once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gkd_runner.config.presets import changes_text
from gkd_runner.reporting.text import Facts
from gkd_runner.results.compare import Comparison
from gkd_runner.results.selection import GROUP

ORIGINS = {
    "inferred": "hyperparameters inferred from the nearest published row",
    "defaults": "plain default hyperparameters",
}
"""The origins of hyperparameters that a reader must know of."""

SHAPING = ("teacher.", "training.")
"""Prefixes of the options that shape a teacher."""


@dataclass(frozen=True)
class Notes:
    """The footnotes of a group's tables.

    Attributes:
        origin: the origin of most configurations' hyperparameters, if it is one of ``ORIGINS``.
        changed: the options that most of them have changed, with their values.
    """

    origin: str
    changed: Mapping[str, Any]

    @property
    def said_once(self) -> str:
        """A sentence on all students that have no footnote; empty if there is nothing to say."""
        changed = f"these options in place of the preset's: {changes_text(self.changed)}"
        parts = [ORIGINS.get(self.origin, ""), changed if self.changed else ""]
        told = " and ".join(part for part in parts if part)
        return f" Unless a footnote says otherwise, rows have {told}." if told else ""

    def on(self, row: Facts) -> tuple[str, ...]:
        """The footnotes on a student's score, from a row of ``summary``."""
        return tuple(self._on(row))

    def on_teacher(self, row: Facts) -> tuple[str, ...]:
        """The footnotes on a teacher's score: the changed options that shape a teacher."""
        return tuple(_changes(_shaping(row["changed"]), _shaping(self.changed)))

    def _on(self, row: Facts) -> Iterator[str]:
        origin = row["hyperparameters"]
        if origin != self.origin and (origin in ORIGINS or self.origin):
            yield ORIGINS.get(origin, f"{origin} hyperparameters")
        yield from _changes(row["changed"], self.changed)
        if row["collapsed"]:
            yield f"{row['collapsed']} of {row['seeds']} students collapsed"
        if row["others"]:
            count = f"{row['others']} other {'run' if row['others'] == 1 else 'runs'}"
            yield f"{count} of this cell with other options or code, not shown"


def notes_of(comparison: Comparison, group: Sequence[str]) -> Notes:
    """The footnotes of the tables of one group, by its names in the order of ``GROUP``."""
    rows = comparison.summary.xs(tuple(group), level=GROUP, drop_level=False)
    origin = _usual(list(rows["hyperparameters"]))
    texts = [changes_text(changed) for changed in rows["changed"]]
    usual = _usual(texts)
    changed = rows["changed"].iloc[texts.index(usual)] if usual else {}
    return Notes(origin if origin in ORIGINS else "", changed)


def _usual(values: Sequence[str]) -> str:
    """The value of more than half of several; empty if there is none."""
    (value, count), *_ = Counter(values).most_common(1)
    return value if count > 1 and 2 * count > len(values) else ""


def _changes(changed: Mapping[str, Any], usual: Mapping[str, Any]) -> Iterator[str]:
    text = changes_text(changed)
    if text != changes_text(usual):
        yield f"options in place of the preset's: {text}" if text else "all options of the preset"


def _shaping(changed: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changed.items() if name.startswith(SHAPING)}
