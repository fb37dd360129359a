"""Tables that hold what the papers say against what was measured here."""

from __future__ import annotations

from collections.abc import Sequence

from gkd_runner.reporting.compare import SETTINGS, TEACHERS, in_order
from gkd_runner.reporting.document import Block, Line, Section, Value, values
from gkd_runner.reporting.references import Gain, Reference, gains, references, verdict
from gkd_runner.reporting.view import PARTS, View, mean_std, notes_on, runs_of


def average_gains(view: View) -> Section:
    """The papers' average gains beside ours, over all teachers and with each alone."""
    parts = {setting: view.part(setting) for setting in SETTINGS}
    present = in_order((place.teacher for place in view.results), TEACHERS)
    lines = [
        _gain_line(gain, teachers)
        for teachers in dict.fromkeys([tuple(present), *((t,) for t in present)])
        for gain in gains(view.results, parts, teachers)
    ]
    caption = (
        "Average gains in points that the papers claim over their own datasets and teachers, and"
        " the mean of the paired differences here; within means within 1 point."
    )
    columns = ("setting", "teachers", "graphs", "claimed", "here", "verdict")
    blocks = (Block("", tuple(lines)),) if lines else ()
    return Section("Average gains", caption, columns, blocks)


def _gain_line(gain: Gain, teachers: Sequence[str]) -> Line:
    claim = gain.claim
    graphs = {place.dataset for place, _ in gain.per_place}
    columns = (
        gain.setting,
        ", ".join(teachers),
        str(len(graphs)),
        f"{claim.points:+.2f}",
        f"{gain.points:+.2f}",
        gain.verdict,
    )
    return Line(f"{claim.method} - {claim.over} ({claim.source})", values(columns))


def single_accuracies(view: View) -> Section:
    """Published accuracies, and those of released code, beside ours; a block per source."""
    blocks: dict[str, list[Line]] = {}
    for reference in references(view.group):
        line = _line(view, reference)
        if line:
            blocks.setdefault(_heading(reference), []).append(line)
    caption = (
        "Published accuracies, and what the papers' released code gave, beside ours; within means"
        " 1 point or two standard errors, whichever is more."
    )
    columns = ("graph", "teacher", "theirs", "here", "verdict")
    found = tuple(Block(heading, tuple(lines)) for heading, lines in blocks.items())
    return Section("Published accuracies and released code", caption, columns, found)


def _heading(reference: Reference) -> str:
    over = f", {PARTS[reference.part]}" if reference.setting == "inductive" else ""
    return f"{reference.source}; {reference.seeds}; {reference.setting}{over}"


def _line(view: View, reference: Reference) -> Line | None:
    result = view.results.get(reference.place, {}).get(reference.method)
    if not result:
        return None
    ours = [100 * value for value in result.values(reference.stage, reference.part).values()]
    spread = f"±{reference.std:.2f}" if reference.std is not None else ""
    cells = (
        *values((reference.dataset, reference.teacher, f"{reference.accuracy:.2f}{spread}")),
        Value(
            mean_std(result, reference.stage, reference.part),
            notes=notes_on(result),
            runs=runs_of(result.rows),
        ),
        Value(verdict(ours, reference)),
    )
    who = reference.method if reference.stage == "student" else f"{reference.method}'s teacher"
    return Line(who, cells)
