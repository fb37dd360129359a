"""Which method needs the fewest labels? Teachers and students of 10, 20, 40% of the labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from rich.table import Table

from gkd_runner.reporting.compare import Difference, Place
from gkd_runner.reporting.references import FEWEST_GRAPHS, TOLERANCE
from gkd_runner.studies.differences import gaps, percent, points, standing, won
from gkd_runner.studies.display import study_table
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Finding, Study, Variant
from gkd_runner.studies.sweep import TEACHER, SweepLine, accuracies_at, collapses, places, run_cases

CLAIMED = 4.17
"""Points by which InfGraND beats GLNN in the article: average over three graphs and ``SCARCE``."""

SCARCE = ("10%", "20%", "40%")
ALL = "100%"
SHARES = {"10%": "0.1", "20%": "0.2", "40%": "0.4", ALL: "1"}
METHODS = ("glnn", "hgmd-mixup", "infgrand")


def run(cases: Sequence[Case], lines: Lines[SweepLine]) -> Finding:
    """Run what is missing and report on all that was asked for."""
    found = [line for done in run_cases(cases) for line in done.accuracies()]
    lines.add(found)
    return Finding(table(found), sentence(found))


def table(lines: Sequence[SweepLine]) -> Table:
    """One row per graph, teacher and share of labels."""
    shown = study_table(
        "test accuracy in %, mean ± population std over seeds; difference in points, * p < 0.05",
        ("dataset", "GNN", "labels"),
        (TEACHER, *METHODS, "infgrand - glnn"),
    )
    found = leads(lines, "glnn", SHARES)
    for place in places(lines):
        for share in SHARES:
            cells = (percent(accuracies_at(lines, place, share, method))
                     for method in (TEACHER, *METHODS))  # fmt: skip
            shown.add_row(
                place.dataset,
                place.teacher,
                share,
                *cells,
                points(found.get((place, share))),
                end_section=share == ALL,
            )
    return shown


def leads(
    lines: Sequence[SweepLine], over: str, shares: Collection[str] = SCARCE
) -> Mapping[tuple[Place, str], Difference]:
    """InfGraND minus ``over`` for each place and share of the labels that both were run with."""
    return gaps(
        {
            (place, share): (
                accuracies_at(lines, place, share, "infgrand"),
                accuracies_at(lines, place, share, over),
            )
            for place in places(lines)
            for share in shares
        }
    )


def sentence(lines: Sequence[SweepLine]) -> str:
    """InfGraND's lead with few labels, beside the article's claim."""
    glnn, hgmd = (leads(lines, over) for over in ("glnn", "hgmd-mixup"))
    if not glnn or not hgmd:
        return "Not measured yet: InfGraND, GLNN and HGMD-mixup with few labels."
    everything = leads(lines, "glnn", [ALL])
    with_all = f"; with all labels it is {standing(everything.values())} GLNN" if everything else ""
    return (
        f"With 10, 20 and 40% of the training labels InfGraND is {standing(glnn.values())} GLNN on"
        f" average, better in {won(glnn.values())} cases, and {standing(hgmd.values())} HGMD-mixup,"
        f" better in {won(hgmd.values())}{with_all}."
        f" The {CLAIMED} points over GLNN that the InfGraND article claims {_verdict(glnn)}."
        f"{collapses(lines)}"
    )


def _verdict(found: Mapping[tuple[Place, str], Difference]) -> str:
    """Within a point, as for the other averages that articles claim."""
    if len({place.dataset for place, _ in found}) < FEWEST_GRAPHS:
        return f"cannot be judged on fewer than {FEWEST_GRAPHS} graphs"
    mean = 100 * float(np.mean([difference.mean for difference in found.values()]))
    return f"{'are' if mean >= CLAIMED - TOLERANCE else 'are not'} reached here"


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    line=SweepLine,
    run=run,
    variants=[
        Variant(share, {"method": method, "protocol.label_fraction": fraction})
        for share, fraction in SHARES.items()
        for method in METHODS
    ],
)
