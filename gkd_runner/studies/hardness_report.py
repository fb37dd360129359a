"""Tables and sentence of the hardness study."""

from __future__ import annotations

import pandas as pd
from rich.console import Group

from gkd_runner.nodes.quarters import QUARTERS
from gkd_runner.results.compare import PLACE
from gkd_runner.studies.sweep import TEACHER, collapses, places, wide
from gkd_runner.studies.wording import gaps, mean_points, percent, standing, study_table, won

HGMD = ("hgmd-weight", "hgmd-mixup")
HARDNESSES = ("both", "knowledge", "distillation", "none")
METHODS = ("mlp", "glnn", *HGMD, "infgrand")

BINS = 20
"""Bins of the histograms of hardness over [0, 1]; ``part`` is where a bin begins."""


def variant_of(method: str) -> str:
    """The variant in which a method is as its authors published it."""
    return "both" if method in HGMD else ""


def as_published(measured: pd.DataFrame) -> pd.DataFrame:
    """The measurements of teachers, and of methods as their authors published them."""
    return measured[measured["variant"] == measured["method"].map(variant_of)]


def of_hgmd(measured: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on all test nodes of each HGMD method, a column per hardness that draws edges."""
    overall = measured[measured["part"] == ""]
    return wide(overall, "variant", HARDNESSES, [*PLACE, "method"])


def tables(measured: pd.DataFrame) -> Group:
    """Accuracy by quarter of every method; HGMD by what it draws edges with."""
    published = wide(as_published(measured), "part", (*QUARTERS, ""), [*PLACE, "method"])
    hgmd = of_hgmd(measured)
    rows = [(*place, method) for place in places(measured) for method in (TEACHER, *METHODS)]
    captions = {
        "test accuracy in % by quarter of the test nodes, mean ± population std over seeds":
            (published.rename(columns={"": "all"}), rows),
        "test accuracy in %, mean ± population std over seeds, of HGMD that draws edges by both"
        " hardnesses, one alone, or none": (hgmd, [row for row in rows if row[-1] in HGMD]),
    }  # fmt: skip
    shown = []
    for caption, (accuracy, wanted) in captions.items():
        cells = accuracy.groupby(level=[*PLACE, "method"]).agg(percent)
        cells = cells.reindex(pd.MultiIndex.from_tuples(wanted)).droplevel(1)
        cells = cells.rename_axis(["dataset", "GNN", "method"])
        shown.append(study_table(caption, cells, ends=[wanted[-1][-1]]))
    return Group(*shown)


def sentence(measured: pd.DataFrame) -> str:
    """Gains on easy and hard nodes, the effect of each hardness, and the cost of subgraphs."""
    by_quarter = wide(as_published(measured), "method", METHODS, [*PLACE, "part"])
    ours, glnn = by_quarter["hgmd-mixup"], by_quarter["glnn"]
    gains = gaps(ours, glnn, [*PLACE, "part"])
    easy, hard = (gains[gains.index.get_level_values("part") == QUARTERS[end]] for end in (0, -1))
    mixup = of_hgmd(measured).query("method == 'hgmd-mixup'")
    others = {name: gaps(mixup["both"], mixup[name]) for name in HARDNESSES[1:]}
    if hard.empty or easy.empty or any(gap.empty for gap in others.values()):
        return "Not measured yet: GLNN and HGMD-mixup on all quarters, and HGMD-mixup's variants."
    alone = ", ".join(f"{name} {mean_points(gap)}" for name, gap in others.items())
    return (
        f"On the hardest quarter HGMD-mixup is {standing(hard)} GLNN (better for {won(hard)} pairs"
        f" of graph and teacher), on the easiest {standing(easy)} it. Both hardnesses instead of"
        f" one alone or none change its accuracy by: {alone}."
        f"{_costs(measured)}{collapses(measured)}"
    )


def _costs(measured: pd.DataFrame) -> str:
    """The share of an epoch of HGMD that it takes beyond GLNN's, where both were timed."""
    seconds = wide(measured, "method", METHODS, measure="seconds_per_epoch")
    shares = {method: (1 - seconds["glnn"] / seconds[method]).dropna() for method in HGMD}
    told = " and ".join(
        f"{_range(share)} of an epoch of {name}" for name, share in shares.items() if len(share)
    )
    return f" Drawing subgraphs (time beyond GLNN's) takes {told}." if told else ""


def _range(shares: pd.Series) -> str:
    low, high = (f"{100 * end:.0f}" for end in (shares.min(), shares.max()))
    return f"{low}%" if low == high else f"{low} to {high}%"
