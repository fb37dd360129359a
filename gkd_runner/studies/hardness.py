"""Which nodes are hard, does HGMD help on them, which of its two hardnesses matters, at what cost?

The test nodes are divided into quarters by knowledge hardness, that of the teacher that all methods
share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table

from gkd_runner.common.errors import ConfigError
from gkd_runner.nodes.predictions import run_columns
from gkd_runner.nodes.quarters import QUARTERS, accuracy_by_hardness
from gkd_runner.nodes.table import split_column
from gkd_runner.options.schema import Config
from gkd_runner.results.selection import PLACE
from gkd_runner.runs.environment import choose_device
from gkd_runner.runs.reload import reload_run
from gkd_runner.studies.extraction import seconds_per_epoch
from gkd_runner.studies.measurements import Measurements, origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Study, Variant
from gkd_runner.studies.sweep import (
    FORM,
    TEACHER,
    accuracies,
    collapses,
    places,
    record,
    run_cases,
    wide,
)
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
    return Group(
        _by_method(
            "test accuracy in % by quarter of the test nodes, mean ± population std over seeds",
            published.rename(columns={"": "all"}),
            rows,
        ),
        _by_method(
            "test accuracy in %, mean ± population std over seeds, of HGMD that draws edges by both"
            " hardnesses, one alone, or none",
            hgmd,
            [row for row in rows if row[-1] in HGMD],
        ),
    )


def _by_method(caption: str, accuracy: pd.DataFrame, rows: Sequence[tuple[str, ...]]) -> Table:
    cells = accuracy.groupby(level=[*PLACE, "method"]).agg(percent)
    cells = cells.reindex(pd.MultiIndex.from_tuples(rows)).droplevel(1)
    return study_table(caption, cells.rename_axis(["dataset", "GNN", "method"]), [rows[-1][-1]])


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
    knowledge, distillation, none = (mean_points(others[name]) for name in HARDNESSES[1:])
    return (
        f"On the hardest quarter of the nodes HGMD-mixup is {standing(hard)} GLNN."
        f" It is better there on {won(hard)}."
        f" On the easiest quarter it is {standing(easy)} GLNN."
        f" HGMD-mixup draws edges by both hardnesses. This changes its accuracy by {knowledge}"
        f" points against knowledge hardness alone, by {distillation} points against distillation"
        f" hardness alone, and by {none} points against neither."
        f"{_costs(measured)}{collapses(measured)}"
    )


def _costs(measured: pd.DataFrame) -> str:
    """The share of an epoch of HGMD that it takes beyond GLNN's, where both were timed."""
    seconds = wide(measured, "method", METHODS, measure="seconds_per_epoch")
    shares = {method: (1 - seconds["glnn"] / seconds[method]).dropna() for method in HGMD}
    told = " and ".join(
        f"{_range(share)} of an epoch of {name}" for name, share in shares.items() if len(share)
    )
    return f" Drawing subgraphs, the time beyond GLNN's, takes {told}." if told else ""


def _range(shares: pd.Series) -> str:
    low, high = (f"{100 * end:.0f}" for end in (shares.min(), shares.max()))
    return f"{low}%" if low == high else f"{low} to {high}%"


def run(cases: Sequence[Case], _: Measurements) -> Iterator[pd.DataFrame]:
    """Run what is missing, look at the nodes, time the methods."""
    config = cases[0].config
    if config.cache == "off":
        raise ConfigError(["cache=off: the study looks at the cached teachers; leave it out"])
    runs = run_cases(cases)
    yield accuracies(runs)
    published = runs[runs["variant"] == runs["method"].map(variant_of)]
    for _, of_case in published.groupby("case"):
        yield pd.concat(look_at_nodes(of_case, config))
    for _, here in published.groupby(PLACE, sort=False):
        yield extraction_costs(here, cases)


def look_at_nodes(runs: pd.DataFrame, config: Config) -> Iterator[pd.DataFrame]:
    """Accuracy by quarter and histograms of hardness, of the student; with glnn, of the teacher.

    Nodes that are harder than any observed one, as hidden nodes may be, count as the hardest.
    """
    for number, method in enumerate(runs["method"]):
        run = runs.iloc[number]
        seed = reload_run(Path(run["folder"]), int(run["seed"]), _moved(config))
        nodes = pd.DataFrame({"split": split_column(seed.task), **run_columns(seed)})
        quarters = accuracy_by_hardness(nodes)
        stages = {method: ("student", "distillation_hardness")}
        if method == "glnn":  # all share its teacher
            stages[TEACHER] = ("teacher", "knowledge_hardness")
        for name, (stage, column) in stages.items():
            hardness = nodes[column].dropna().to_numpy(float).clip(0, 1)
            counts, edges = np.histogram(hardness, BINS, (0, 1))
            bins = [f"{edge:.2f}" for edge in edges[:-1]]
            shares = pd.Series(counts / counts.sum(), index=bins)
            for measure, values in {"accuracy": quarters[stage], column: shares}.items():
                rows = runs.iloc[[number] * len(values)]
                parts = list(values.index)
                yield record(rows, measure, values.to_numpy(float), method=name, part=parts)


def extraction_costs(runs: pd.DataFrame, cases: Sequence[Case]) -> pd.DataFrame:
    """Seconds per epoch of glnn and of the HGMD methods of one place, on glnn's first seed."""
    glnn = runs[runs["method"] == "glnn"].iloc[0]
    timed = runs[runs["method"].isin(["glnn", *HGMD]) & (runs["seed"] == glnn["seed"])]
    configs = {row.method: cases[row.case].config for row in timed.itertuples()}
    device = choose_device(configs["glnn"].device)
    origin = origin_columns(device)
    seed = reload_run(Path(glnn["folder"]), int(glnn["seed"]), _moved(configs["glnn"]))
    methods = {name: config.method for name, config in configs.items()}
    seconds = seconds_per_epoch(seed, methods, device)
    return record(timed, "seconds_per_epoch", timed["method"].map(seconds), **origin)


def _moved(config: Config) -> Mapping[str, str]:
    """The folders of teachers and data now, wherever they lay when the run was made."""
    return {"cache_dir": config.cache_dir, "data_dir": config.data_dir}


STUDY = Study(
    defaults=SHARED_DEFAULTS,
    form=FORM,
    run=run,
    table=tables,
    sentence=sentence,
    variants=[
        *(Variant("", {"method": method}) for method in METHODS if method not in HGMD),
        *(
            Variant(hardness, {"method": method, "method.hardness": hardness})
            for method in HGMD
            for hardness in HARDNESSES
        ),
    ],
)
