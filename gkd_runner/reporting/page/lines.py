"""What the page shows of each configuration, and the names that its figures share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gkd_runner.reporting.compare import (
    DATASETS,
    METHODS,
    SETTINGS,
    TEACHERS,
    Place,
    Result,
    emphasis,
    in_order,
)
from gkd_runner.reporting.view import View


@dataclass(frozen=True)
class Line:
    """One configuration: where it competes, its method and its seeds. ``mark`` as in tables."""

    view: View
    place: Place
    method: str
    result: Result
    mark: str

    @property
    def part(self) -> str:
        """The test nodes that its accuracies are over."""
        return self.view.part(self.place.setting)

    @property
    def identity(self) -> dict[str, str]:
        """What the page filters by."""
        return where(self.view, self.place) | {"method": self.method}


@dataclass(frozen=True)
class Series:
    """Seeds of one model as figures show them: a student (``kind`` its method) or a teacher.

    ``identity`` is what the page filters by; a teacher that all methods share has no method in it.
    """

    label: str
    kind: str
    stage: str
    result: Result
    part: str
    identity: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        """What each of its records in a figure has."""
        panel = f"{self.identity['dataset']}, {self.identity['setting']}"
        return self.identity | {"series": self.label, "kind": self.kind, "panel": panel}


@dataclass(frozen=True)
class Names:
    """The values that occur, in the order of rows, panels and legends."""

    lines: tuple[Line, ...]

    @cached_property
    def datasets(self) -> list[str]:
        return in_order((line.place.dataset for line in self.lines), DATASETS)

    @cached_property
    def settings(self) -> list[str]:
        return in_order((line.place.setting for line in self.lines), SETTINGS)

    @cached_property
    def teachers(self) -> list[str]:
        return in_order((line.place.teacher for line in self.lines), TEACHERS)

    @cached_property
    def methods(self) -> list[str]:
        return in_order((line.method for line in self.lines), METHODS)

    @property
    def kinds(self) -> list[str]:
        """What has a colour of its own."""
        return ["teacher", *self.methods]

    @property
    def labels(self) -> list[str]:
        """Every series."""
        return ["teacher", *(name for m in self.methods for name in (own_teacher(m), m))]

    @property
    def panels(self) -> list[str]:
        """Every small multiple."""
        return [f"{dataset}, {setting}" for setting in self.settings for dataset in self.datasets]


def where(view: View, place: Place) -> dict[str, str]:
    """Group and place as the page filters by them."""
    return {
        "group": view.group.name,
        "dataset": place.dataset,
        "setting": place.setting,
        "teacher": place.teacher,
    }


def own_teacher(method: str) -> str:
    """The label of a teacher that is not that of all methods."""
    return f"{method}'s teacher"


def lines_of(views: Iterable[View]) -> list[Line]:
    """All configurations, by group, dataset, setting, teacher and method."""
    found = []
    for view in views:
        for place in sorted(view.results, key=_rank):
            results = view.results[place]
            marks = emphasis(results, view.part(place.setting))
            found += [
                Line(view, place, method, result, marks.get(method, ""))
                for method, result in results.items()
            ]
    return found


def _rank(place: Place) -> tuple[int | str, ...]:
    orders = ((place.dataset, DATASETS), (place.setting, SETTINGS), (place.teacher, TEACHERS))
    return tuple(
        part
        for name, known in orders
        for part in (known.index(name) if name in known else len(known), name)
    )


def series_of(lines: Sequence[Line]) -> Iterator[Series]:
    """All students, and the teachers of each place before them."""
    places: dict[tuple[str, Place], list[Line]] = {}
    for line in lines:
        places.setdefault((line.view.group.name, line.place), []).append(line)
    for (_, place), here in places.items():
        view = here[0].view
        yield from _teachers(view, place, here)
        for line in here:
            yield Series(line.method, line.method, "student", line.result, line.part, line.identity)


def _teachers(view: View, place: Place, here: Sequence[Line]) -> Iterator[Series]:
    """The one teacher of all methods (that with the most seeds), or each method's own."""
    taught = [line for line in here if line.method != "mlp"] or here  # mlp learns from labels alone
    keys = {(row.seed, row.teacher_key) for line in taught for row in line.result.rows}
    part = view.part(place.setting)
    if len(keys) == len({seed for seed, _ in keys}):
        most = max((line.result for line in taught), key=lambda result: len(result.rows))
        yield Series("teacher", "teacher", "teacher", most, part, where(view, place))
        return
    for line in taught:
        label = own_teacher(line.method)
        yield Series(label, "teacher", "teacher", line.result, part, line.identity)
