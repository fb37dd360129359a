"""The comparison table: one line per configuration, every column sortable."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gkd_runner.reporting.document import letter
from gkd_runner.reporting.page.lines import Line
from gkd_runner.reporting.tables import gap_text
from gkd_runner.reporting.view import BASES, mean_std, notes_on, runs_of


@dataclass(frozen=True)
class Cell:
    """What a cell shows, the number (or else the text) that it is sorted by, and its mark."""

    text: str
    value: float | None = None
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its key in the page's address, the heading above it, its own, what it means."""

    key: str
    above: str
    name: str
    meaning: str
    cell: Callable[[Line], Cell]
    is_number: bool = True


def _name(key: str) -> Column:
    return Column(key, "", key, "", lambda line: Cell(line.identity[key]), is_number=False)


def _seeds(line: Line) -> Cell:
    return Cell(str(len(line.result.rows)), len(line.result.rows))


def _accuracy(stage: str) -> Column:
    def cell(line: Line) -> Cell:
        text = mean_std(line.result, stage, line.part).partition(" (")[0]
        mark = line.mark if stage == "student" else ""
        return Cell(text, line.result.mean(stage, line.part), mark)

    meaning = "mean ± population std over seeds"
    return Column(f"{stage}-accuracy", "test accuracy, %", stage, meaning, cell)


def _gap(base: str) -> Column:
    def cell(line: Line) -> Cell:
        gap = line.view.gap(line.place, line.method, base)
        return Cell(gap_text(gap), gap.mean) if gap else Cell("")

    meaning = "paired over seeds: mean ± population std, * where p < 0.05 (seeds won of all)"
    return Column(f"minus-{base}", "student minus, points", base, meaning, cell)


def _mean(field: str, above: str, name: str, meaning: str, form: str = ".3f") -> Column:
    def cell(line: Line) -> Cell:
        values = [getattr(row, field) for row in line.result.rows]
        found = [value for value in values if value is not None]
        return Cell(format(np.mean(found), form), float(np.mean(found))) if found else Cell("")

    key = field.replace("_", "-")
    return Column(key, above, name, f"{meaning}; mean over seeds", cell)


AGREEMENT = "share of test nodes on which student and teacher agree"
KL = "KL divergence from teacher to student over the test nodes, in nats"
ERRS = "the student's accuracy where the teacher errs"
CALIBRATION = "expected calibration error on the test nodes"

COLUMNS = (
    *map(_name, ("dataset", "setting", "teacher", "method")),
    Column("seeds", "", "n", "number of seeds", _seeds),
    *map(_accuracy, ("teacher", "student")),
    *map(_gap, BASES),
    _mean("agreement", "agreement", "with teacher", AGREEMENT),
    _mean("kl", "agreement", "KL", KL),
    _mean("accuracy_where_teacher_errs", "agreement", "right where it errs", ERRS),
    _mean("teacher_calibration_error", "calibration error", "teacher", CALIBRATION),
    _mean("student_calibration_error", "calibration error", "student", CALIBRATION),
    _mean("teacher_seconds", "training, s", "teacher", "wherever it was trained", ".1f"),
    _mean("student_seconds", "training, s", "student", "seconds of training", ".1f"),
)


def table(lines: Sequence[Line]) -> str:
    """The table of all groups, of which the page shows one at a time, and its footnotes."""
    found = dict.fromkeys(note for line in lines for note in notes_on(line.result))
    footnotes = {note: letter(number) for number, note in enumerate(found)}
    body = "\n".join(_row(line, number, footnotes) for number, line in enumerate(lines))
    told = "".join(
        f'<li data-note="{mark}"><sup>{mark}</sup> {html.escape(note)}</li>'
        for note, mark in footnotes.items()
    )
    return (
        '<div class="scroll tall" tabindex="0" role="region" aria-label="comparison">'
        f'<table id="table"><thead><tr>{"".join(_above())}</tr>'
        f"<tr>{''.join(map(_heading, COLUMNS))}<th>runs</th></tr></thead>\n"
        f'<tbody>{body}</tbody></table></div><ul class="notes">{told}</ul>'
    )


def _above() -> Iterator[str]:
    names = [column.above for column in COLUMNS]
    for name in dict.fromkeys(names):
        yield f'<th colspan="{names.count(name)}" scope="colgroup">{html.escape(name)}</th>'
    yield "<td></td>"


def _heading(column: Column) -> str:
    kind = ' class="number"' if column.is_number else ""
    title = f' title="{html.escape(column.meaning)}"' if column.meaning else ""
    button = f'<button type="button"{title}>{html.escape(column.name)}</button>'
    told = f'data-column="{column.key}" data-label="{html.escape(column.name)}"'
    return f'<th scope="col" aria-sort="none" {told}{kind}>{button}</th>'


def _row(line: Line, number: int, footnotes: Mapping[str, str]) -> str:
    marks = [footnotes[note] for note in notes_on(line.result)]
    cells = "".join(
        _cell(column, column.cell(line), marks if column.key == "method" else ())
        for column in COLUMNS
    )
    told = f'data-order="{number}" data-notes="{" ".join(marks)}" data-mark="{line.mark}"'
    return f"<tr {attributes(line.identity)} {told}>{cells}<td>{_links(line)}</td></tr>"


def _cell(column: Column, cell: Cell, footnotes: Sequence[str]) -> str:
    text = html.escape(cell.text)
    text = {"best": f"<b>{text}</b>", "second": f"<u>{text}</u>"}.get(cell.mark, text)
    text += f"<sup>{','.join(footnotes)}</sup>" if footnotes else ""
    kind = ' class="number"' if column.is_number else ""
    value = f' data-value="{cell.value:.6g}"' if cell.value is not None else ""
    return f"<td{kind}{value}>{text}</td>"


def _links(line: Line) -> str:
    runs = runs_of(line.result.rows)
    return " ".join(
        f'<a href="#{html.escape(run)}" title="{html.escape(run)}">'
        f"{'run' if len(runs) == 1 else f'run {number}'}</a>"
        for number, run in enumerate(runs, 1)
    )


def attributes(identity: Mapping[str, str]) -> str:
    """What the page filters an element by."""
    return " ".join(f'data-{name}="{html.escape(value)}"' for name, value in identity.items())
