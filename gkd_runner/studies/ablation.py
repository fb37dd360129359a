"""What of InfGraND does it: influence, propagation, the pooling of hops, their number?"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from gkd_runner.reporting.compare import Difference
from gkd_runner.studies.differences import gap, mean_points, percent, won
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.study import Case, Report, Study, Variant, plain_table
from gkd_runner.studies.sweep import DEFAULTS, KEY, Line, accuracies_at, places, run_cases

BOTH = "both parts"
NO_INFLUENCE = {"method": "infgrand", "method.delta_2": "0", "method.gamma_2": "0"}
NO_PROPAGATION = {"method": "infgrand", "method.propagation_hops": "0"}

PARTS = {
    BOTH: {"method": "infgrand"},
    "propagation only": NO_INFLUENCE,
    "influence only": NO_PROPAGATION,
    "neither": NO_INFLUENCE | NO_PROPAGATION,
    "mlp": {"method": "mlp"},
}
POOLINGS = {
    f"{pooling} of hops": {"method": "infgrand", "method.pooling": pooling}
    for pooling in ("mean", "max", "min")
}
HOPS = {
    f"{hops} hops": {"method": "infgrand", "method.propagation_hops": str(hops)}
    for hops in range(5)
}


def run(cases: Sequence[Case], lines: Lines[Line]) -> Report:
    """Run what is missing and report on all that was asked for."""
    found = [line for done in run_cases(cases) for line in done.accuracies(teacher=False)]
    lines.add(found)
    return Report(table(found), sentence(found))


def table(lines: Sequence[Line]) -> Table:
    """One row per variant, one column per graph and teacher."""
    where = places(lines)
    shown = plain_table(
        "test accuracy in % of the student, mean ± population std over seeds",
        ("InfGraND with", *(f"{dataset}\n{teacher}" for dataset, teacher in where)),
    )
    for group in (PARTS, POOLINGS, HOPS):
        for variant in group:
            cells = (percent(accuracies_at(lines, place, variant)) for place in where)
            shown.add_row(variant, *cells, end_section=variant == list(group)[-1])
    return shown


def without(lines: Sequence[Line], variant: str) -> list[Difference]:
    """Both parts minus ``variant``, per graph and teacher."""
    return [
        gap(accuracies_at(lines, place, BOTH), accuracies_at(lines, place, variant))
        for place in places(lines)
    ]


def sentence(lines: Sequence[Line]) -> str:
    """What each part adds to the other, beside the article's claim."""
    influence, propagation = (
        without(lines, variant) for variant in ("propagation only", "influence only")
    )
    holds = all(found.mean > 0 for found in (*influence, *propagation))
    return (
        f"Beside propagation, influence adds {mean_points(influence)} points of test accuracy on"
        f" average and helps for {won(influence)} pairs of graph and teacher; beside influence,"
        f" propagation adds {mean_points(propagation)} and helps for {won(propagation)}. That both"
        f" parts contribute, as the InfGraND article claims, {_holds(holds)} here."
    )


def _holds(holds: bool) -> str:
    return "holds" if holds else "does not hold everywhere"


STUDY = Study(
    defaults=DEFAULTS,
    line=Line,
    key=KEY,
    run=run,
    variants=[Variant(name, options) for name, options in (PARTS | POOLINGS | HOPS).items()],
)
