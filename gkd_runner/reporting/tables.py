"""From rows to the tables of a comparison: accuracies, paired differences, published figures."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gkd_runner.config.presets import Cell, find_preset
from gkd_runner.methods import METHODS
from gkd_runner.reporting.compare import Difference, Place, emphasis
from gkd_runner.reporting.document import Block, Document, Line, Section, Value
from gkd_runner.reporting.published import average_gains, single_accuracies
from gkd_runner.reporting.rows import Row
from gkd_runner.reporting.view import BASES, PARTS, View, mean_std, notes_on, runs_of, views


def documents(
    rows: Sequence[Row], inductive_part: str = "ind", failed: Iterable[tuple[str, ...]] = ()
) -> list[Document]:
    """One document per protocol, preset and calibration. ``failed`` are identities of failures."""
    found = []
    for view in views(rows, inductive_part, failed):
        sections = (
            _accuracies(view),
            _differences(view),
            average_gains(view),
            single_accuracies(view),
        )
        filled = tuple(section for section in sections if section.blocks)
        found.append(Document(view.group.title, filled))
    return found


def _heading(view: View, setting: str, teacher: str) -> str:
    over = f", {PARTS[view.part(setting)]}" if setting == "inductive" else ""
    return f"{setting}{over}; {teacher} teacher"


def _accuracies(view: View) -> Section:
    blocks = []
    for setting, teacher, methods in view.blocks():
        places = [Place(dataset, setting, teacher) for dataset in view.datasets]
        counts = {
            len(result.rows) for place in places for result in view.results.get(place, {}).values()
        }
        seeds = f"; {next(iter(counts))} seeds" if len(counts) == 1 else ""
        lines = _accuracy_lines(view, places, methods, show_n=len(counts) > 1)
        blocks.append(Block(_heading(view, setting, teacher) + seeds, tuple(lines)))
    caption = (
        "Test accuracy in %, mean ± population std over seeds (n where it differs). The best method"
        " is bold and the second underlined, unless a paired t test over seeds cannot tell them"
        " from the next (p >= 0.05)."
    )
    return Section("Accuracy", caption, tuple(view.datasets), tuple(blocks))


def _accuracy_lines(
    view: View, places: Sequence[Place], methods: Sequence[str], *, show_n: bool
) -> Iterator[Line]:
    def line(label: str, cells: Iterable[Value]) -> Line:
        return Line(label, tuple(cell if show_n else _without_n(cell) for cell in cells))

    marks = {
        place: emphasis(view.results.get(place, {}), view.part(place.setting)) for place in places
    }
    if view.group.preset == "common":
        yield line("teacher", (_teacher(view, place, methods) for place in places))
    for method in methods:
        cells = (_student(view, place, method, marks[place].get(method, "")) for place in places)
        yield line(method, cells)
        if view.group.preset != "common" and method != "mlp":
            yield line(f"{method}'s teacher", (_teacher(view, place, [method]) for place in places))


def _without_n(value: Value) -> Value:
    return replace(value, text=value.text.partition(" (")[0])


def _teacher(view: View, place: Place, methods: Sequence[str]) -> Value:
    """The teacher of the methods' runs; of several, of that with the most seeds."""
    found = [r for m in methods if (r := view.results.get(place, {}).get(m))]
    if not found:
        return Value("")
    best = max(found, key=lambda result: len(result.rows))
    changed = [c for c in best.rows[0].changed if c.startswith(("teacher.", "training."))]
    notes = (f"changed: {', '.join(changed)}",) if changed else ()
    text = mean_std(best, "teacher", view.part(place.setting))
    return Value(text, notes=notes, runs=runs_of(best.rows))


def _student(view: View, place: Place, method: str, mark: str) -> Value:
    result = view.results.get(place, {}).get(method)
    if result is None:
        return Value(_why_empty(view, place, method))
    text = mean_std(result, "student", view.part(place.setting))
    return Value(text, mark, notes_on(result), runs_of(result.rows))


def _why_empty(view: View, place: Place, method: str) -> str:
    group = view.group
    identity = (place.dataset, group.protocol, place.setting, place.teacher, method)
    if (*identity, group.preset) in view.failed:
        return "failed"
    cell = Cell(group.preset, None, place.dataset, place.teacher, place.setting, method)
    has_table = method in METHODS and METHODS[method].presets
    if group.preset == "paper" and has_table and find_preset(cell).kind != "published":
        return "not published"
    return "not run"


def _differences(view: View) -> Section:
    blocks = []
    for setting, teacher, methods in view.blocks():
        lines = []
        for method, base in itertools.product(methods, BASES):
            places = [Place(dataset, setting, teacher) for dataset in view.datasets]
            cells = tuple(_gap(view, place, method, base) for place in places)
            if any(cell.text for cell in cells):
                lines.append(Line(f"{method} - {base}", cells))
        if lines:
            blocks.append(Block(_heading(view, setting, teacher), tuple(lines)))
    caption = (
        "Difference in points, paired over the same seeds and splits: mean ± population std, seeds"
        " won of all; * where a paired t test has p < 0.05."
    )
    return Section("Differences", caption, tuple(view.datasets), tuple(blocks))


def _gap(view: View, place: Place, method: str, base: str) -> Value:
    gap = view.gap(place, method, base)
    if gap is None:
        return Value("")
    found = view.results[place]
    others = () if base == "teacher" else found[base].rows
    return Value(gap_text(gap), runs=runs_of((*found[method].rows, *others)))


def gap_text(gap: Difference) -> str:
    """``+1.20±0.30* (5/5)``: points, population std, star of a difference, seeds won of all."""
    spread = f"±{100 * gap.std:.2f}" if gap.n > 1 else ""
    star = "" if gap.is_tie else "*"
    return f"{100 * gap.mean:+.2f}{spread}{star} ({gap.won}/{gap.n})"
