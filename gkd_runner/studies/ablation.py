"""What of InfGraND does it: influence, propagation, the pooling of hops, their number?"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from gkd_runner.reporting.compare import Place
from gkd_runner.studies.differences import (
    Differences,
    gaps,
    mean_points,
    percent,
    verdict,
    won,
)
from gkd_runner.studies.display import study_table
from gkd_runner.studies.lines import Lines
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Finding, Study, Variant
from gkd_runner.studies.sweep import SweepLine, accuracies_at, collapses, places, run_cases

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
GROUPS = {"parts": PARTS, "pooling": POOLINGS, "hops": HOPS}


def run(cases: Sequence[Case], lines: Lines[SweepLine]) -> Finding:
    """Run what is missing and report on all that was asked for."""
    found = [line for done in run_cases(cases) for line in done.accuracies()]
    lines.add(found)
    return Finding(table(found), sentence(found))


def accuracies(lines: Sequence[SweepLine], place: Place, variant: str) -> dict[int, float]:
    """What the student of a variant reached, by seed."""
    return accuracies_at(lines, place, variant, "mlp" if variant == "mlp" else "infgrand")


def table(lines: Sequence[SweepLine]) -> Table:
    """One row per variant, one column per graph and teacher."""
    where = places(lines)
    shown = study_table(
        "test accuracy in % of the student, mean ± population std over seeds",
        ["InfGraND with"],
        [f"{place.dataset}\n{place.teacher}" for place in where],
    )
    for group in GROUPS.values():
        for variant in group:
            cells = (percent(accuracies(lines, place, variant)) for place in where)
            shown.add_row(variant, *cells, end_section=variant == list(group)[-1])
    return shown


def both_minus(lines: Sequence[SweepLine], variant: str) -> Differences:
    """Both parts minus ``variant``, where both were measured."""
    return gaps(
        {
            place: (accuracies(lines, place, BOTH), accuracies(lines, place, variant))
            for place in places(lines)
        }
    )


def sentence(lines: Sequence[SweepLine]) -> str:
    """What each part adds to the other, beside the article's claim."""
    influence, propagation = (
        both_minus(lines, variant) for variant in ("propagation only", "influence only")
    )
    if not influence or not propagation:
        return "Not measured yet: InfGraND without each of its parts."
    return (
        f"Beside propagation, influence adds {mean_points(influence.values())} points of test"
        f" accuracy on average and helps for {won(influence.values())} pairs of graph and teacher;"
        f" beside influence, propagation adds {mean_points(propagation.values())} and helps for"
        f" {won(propagation.values())}. That both parts contribute, as the InfGraND article"
        f" claims, {verdict(influence, propagation)}.{collapses(lines)}"
    )


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    line=SweepLine,
    run=run,
    variants=[
        Variant(name, options) for group in GROUPS.values() for name, options in group.items()
    ],
)
