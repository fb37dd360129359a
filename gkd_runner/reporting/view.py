"""One group of comparable results, as tables and figures look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gkd_runner.reporting.compare import (
    DATASETS,
    METHODS,
    SETTINGS,
    TEACHERS,
    Difference,
    Group,
    Place,
    Result,
    difference,
    groups,
    in_order,
    select,
)
from gkd_runner.reporting.rows import Row, told_apart

BASES = ("teacher", "mlp", "glnn")
"""What a method's difference is taken to."""

PARTS = {"tran": "observed test nodes", "ind": "hidden nodes", "prod": "all test nodes"}


@dataclass(frozen=True)
class View:
    """One group's selected results, and which test nodes an inductive accuracy is over."""

    group: Group
    results: dict[Place, dict[str, Result]]
    inductive_part: str
    failed: frozenset[tuple[str, ...]]

    def part(self, setting: str) -> str:
        """The accuracy shown for a setting; transductive tests know but one."""
        return self.inductive_part if setting == "inductive" else "prod"

    @property
    def tried(self) -> dict[Place, set[str]]:
        """The methods that ran or failed in each place."""
        found = {place: set(methods) for place, methods in self.results.items()}
        for dataset, protocol, setting, teacher, method, preset in self.failed:
            if (protocol, preset) == (self.group.protocol, self.group.preset):
                found.setdefault(Place(dataset, setting, teacher), set()).add(method)
        return found

    @property
    def datasets(self) -> list[str]:
        """The columns."""
        return in_order((place.dataset for place in self.tried), DATASETS)

    def blocks(self) -> Iterator[tuple[str, str, list[str]]]:
        """Setting, teacher and methods of each block that has results or failures."""
        tried = self.tried
        for setting in in_order((place.setting for place in tried), SETTINGS):
            here = [place for place in tried if place.setting == setting]
            for teacher in in_order((place.teacher for place in here), TEACHERS):
                methods = {m for place in here if place.teacher == teacher for m in tried[place]}
                yield setting, teacher, in_order(methods, METHODS)

    def gap(self, place: Place, method: str, base: str) -> Difference | None:
        """The student of ``method`` minus that of ``base`` (or its own ``teacher``)."""
        found = self.results.get(place, {})
        mine, other = found.get(method), found.get(method if base == "teacher" else base)
        if not mine or not other or method in (base, "mlp" if base == "glnn" else ""):
            return None
        part = self.part(place.setting)
        return difference(mine, other, part, to_teacher=base == "teacher")


def views(
    rows: Sequence[Row], inductive_part: str = "ind", failed: Iterable[tuple[str, ...]] = ()
) -> list[View]:
    """One view per protocol, preset and calibration. ``failed`` are identities of failures."""
    identities = frozenset(failed)
    return [
        View(group, select(mine, same_teacher=group.preset == "common"), inductive_part, identities)
        for group, mine in groups(told_apart(rows)).items()
    ]


def mean_std(result: Result, stage: str, part: str) -> str:
    """``82.10±0.53 (5)``: accuracy in %, population std over seeds, number of seeds."""
    mean, n = result.mean(stage, part), len(result.values(stage, part))
    if mean is None:
        return "no such nodes"
    spread = f"±{100 * result.std(stage, part):.2f}" if n > 1 else ""
    return f"{100 * mean:.2f}{spread} ({n})"


def runs_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """The distinct runs that rows come from."""
    return tuple(dict.fromkeys(row.run for row in rows))


def notes_on(result: Result) -> tuple[str, ...]:
    """The footnotes of a student's number."""
    return tuple(_notes(result))


def _notes(result: Result) -> Iterator[str]:
    """What a reader must know of a number: origin of its hyperparameters, changes, collapses."""
    source = result.rows[0].preset_source
    if source.startswith("inferred"):
        yield "hyperparameters inferred from the nearest published row"
    elif source.startswith("plain defaults"):
        yield "plain default hyperparameters"
    if result.rows[0].changed:
        yield f"changed: {', '.join(result.rows[0].changed)}"
    collapsed = sum("collapsed student" in row.warnings for row in result.rows)
    if collapsed:
        yield f"{collapsed} of {len(result.rows)} students collapsed"
    if result.others:
        count = f"{result.others} other {'run' if result.others == 1 else 'runs'}"
        yield f"{count} of this cell with other options or code, not shown"
