"""Which method needs the fewest labels? Teachers and students of 10, 20, 40% of the labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from gkd_runner.reporting.compare import Difference
from gkd_runner.studies.differences import gap, mean_points, percent, points, won
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.study import Case, Report, Study, Variant, plain_table
from gkd_runner.studies.sweep import DEFAULTS, KEY, TEACHER, Line, accuracies_at, places, run_cases

CLAIMED = 4.17
"""Points by which InfGraND beats GLNN in the article: average over three graphs and ``SCARCE``."""

SCARCE = ("10%", "20%", "40%")
SHARES = {"10%": "0.1", "20%": "0.2", "40%": "0.4", "100%": "1"}
METHODS = ("glnn", "hgmd-mixup", "infgrand")


def run(cases: Sequence[Case], lines: Lines[Line]) -> Report:
    """Run what is missing and report on all that was asked for."""
    found = [line for done in run_cases(cases) for line in done.accuracies(teacher=True)]
    lines.add(found)
    return Report(table(found), sentence(found))


def table(lines: Sequence[Line]) -> Table:
    """One row per graph, teacher and share of labels."""
    shown = plain_table(
        "test accuracy in %, mean ± population std over seeds; difference in points, * p < 0.05",
        ("dataset", "labels", "GNN", "", *METHODS, "infgrand - glnn"),
    )
    for place in places(lines):
        for share in SHARES:
            cells = (percent(accuracies_at(lines, place, share, method))
                     for method in (TEACHER, *METHODS))  # fmt: skip
            found = lead(lines, place, share)
            last = share == list(SHARES)[-1]
            shown.add_row(place[0], share, place[1], *cells, points(found), end_section=last)
    return shown


def lead(
    lines: Sequence[Line], place: tuple[str, str], share: str, over: str = "glnn"
) -> Difference:
    """InfGraND minus another method with that share of the labels."""
    ours, theirs = (accuracies_at(lines, place, share, name) for name in ("infgrand", over))
    return gap(ours, theirs)


def sentence(lines: Sequence[Line]) -> str:
    """InfGraND's lead with few labels, beside the article's claim."""
    found = {
        over: [lead(lines, place, share, over) for place in places(lines) for share in SCARCE]
        for over in ("glnn", "hgmd-mixup")
    }
    all_labels = [lead(lines, place, "100%") for place in places(lines)]
    mean = 100 * float(np.mean([each.mean for each in found["glnn"]]))
    return (
        f"With 10, 20 and 40% of the training labels InfGraND leads GLNN by {mean:+.2f} points on"
        f" average, ahead in {won(found['glnn'])} cases, and HGMD-mixup by"
        f" {mean_points(found['hgmd-mixup'])} ({won(found['hgmd-mixup'])}); with all labels it"
        f" leads GLNN by {mean_points(all_labels)}. The InfGraND article claims {CLAIMED} over"
        f" GLNN: the claim {'holds' if mean >= CLAIMED else 'does not hold'} here."
    )


STUDY = Study(
    defaults=DEFAULTS,
    line=Line,
    key=KEY,
    run=run,
    variants=[
        Variant(share, {"method": method, "protocol.label_fraction": fraction})
        for share, fraction in SHARES.items()
        for method in METHODS
    ],
)
