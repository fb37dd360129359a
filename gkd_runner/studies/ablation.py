"""Which part of InfGraND helps: influence, propagation, the pooling of hops, their number?"""

from __future__ import annotations

import pandas as pd
from rich.table import Table

from gkd_runner.results.selection import PLACE
from gkd_runner.studies.study import SHARED_DEFAULTS, Study, Variant
from gkd_runner.studies.sweep import FORM, collapses, places, run_accuracies, wide
from gkd_runner.studies.wording import gaps, mean_points, percent, study_table, verdict, won

BOTH = "both parts"
NO_INFLUENCE = {"method": "infgrand", "method.delta_2": "0", "method.gamma_2": "0"}
NO_PROPAGATION = {"method": "infgrand", "method.propagation_hops": "0"}

GROUPS: dict[str, dict[str, dict[str, str]]] = {
    "parts": {
        BOTH: {"method": "infgrand"},
        "propagation only": NO_INFLUENCE,
        "influence only": NO_PROPAGATION,
        "neither": NO_INFLUENCE | NO_PROPAGATION,
        "mlp": {"method": "mlp"},
    },
    "pooling": {
        f"{pooling} of hops": {"method": "infgrand", "method.pooling": pooling}
        for pooling in ("mean", "max", "min")
    },
    "hops": {
        f"{hops} hops": {"method": "infgrand", "method.propagation_hops": str(hops)}
        for hops in range(5)
    },
}
"""Options of the variants, by what they vary."""

VARIANTS = {name: options for group in GROUPS.values() for name, options in group.items()}


def table(measured: pd.DataFrame) -> Table:
    """One row per variant, one column per graph and teacher."""
    cells = wide(measured, "variant", list(VARIANTS)).groupby(level=PLACE).agg(percent).T
    cells = cells.reindex(columns=pd.MultiIndex.from_tuples(places(measured)))
    cells.columns = [f"{dataset}\n{teacher}" for dataset, _, teacher in cells.columns]
    return study_table(
        "test accuracy in % of the student, mean ± population std over seeds",
        cells.rename_axis("InfGraND with"),
        ends=[list(group)[-1] for group in GROUPS.values()],
    )


def sentence(measured: pd.DataFrame) -> str:
    """The accuracy that each part adds to the other, beside the article's claim."""
    accuracy = wide(measured, "variant", list(VARIANTS))
    influence, propagation = (
        gaps(accuracy[BOTH], accuracy[without])
        for without in ("propagation only", "influence only")
    )
    if influence.empty or propagation.empty:
        return "Not measured yet: InfGraND without each of its parts."
    return (
        "The InfGraND article claims that both parts contribute."
        f" This {verdict(influence, propagation)}."
        f" Influence adds {mean_points(influence)} points of test accuracy to propagation, on"
        f" average. It helps on {won(influence)}."
        f" Propagation adds {mean_points(propagation)} points to influence."
        f" It helps on {won(propagation)}.{collapses(measured)}"
    )


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    form=FORM,
    run=run_accuracies,
    table=table,
    sentence=sentence,
    variants=[Variant(name, options) for name, options in VARIANTS.items()],
)
