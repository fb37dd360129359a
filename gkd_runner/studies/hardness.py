"""Which nodes are hard, does HGMD help there, which hardness does it, and what does it cost?

Quarters are of the test nodes, by the knowledge hardness of the teacher that all methods share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from gkd_runner.common.errors import ConfigError
from gkd_runner.nodes.predictions import run_columns
from gkd_runner.nodes.quarters import accuracy_by_hardness
from gkd_runner.nodes.table import split_column
from gkd_runner.options.schema import Config
from gkd_runner.results.compare import PLACE
from gkd_runner.runs.environment import choose_device
from gkd_runner.runs.reload import reload_run
from gkd_runner.studies.extraction import seconds_per_epoch
from gkd_runner.studies.hardness_report import (
    BINS,
    HARDNESSES,
    HGMD,
    METHODS,
    sentence,
    tables,
    variant_of,
)
from gkd_runner.studies.measurements import Measurements, origin_columns
from gkd_runner.studies.study import SHARED_DEFAULTS, Case, Study, Variant
from gkd_runner.studies.sweep import FORM, TEACHER, accuracies, measured, run_cases


def run(cases: Sequence[Case], measurements: Measurements) -> pd.DataFrame:
    """Run what is missing, look at the nodes, time the methods."""
    config = cases[0].config
    if config.cache == "off":
        raise ConfigError(["cache=off: the study looks at the cached teachers; leave it out"])
    runs = run_cases(cases)
    parts = list[pd.DataFrame]()

    def keep(part: pd.DataFrame) -> None:
        measurements.add(part)
        parts.append(part)

    keep(accuracies(runs))
    published = runs[runs["variant"] == runs["method"].map(variant_of)]
    for _, of_case in published.groupby("case"):
        keep(pd.concat(look_at_nodes(of_case, config)))
    for _, here in published.groupby(PLACE, sort=False):
        keep(extraction_costs(here, cases))
    return pd.concat(parts)


def look_at_nodes(runs: pd.DataFrame, config: Config) -> Iterator[pd.DataFrame]:
    """Accuracy by quarter and histograms of hardness, of the student; with glnn, of the teacher.

    Nodes that are harder than any observed one, as hidden nodes may be, count as the hardest.
    """
    for number, method in enumerate(runs["method"]):
        run = runs.iloc[[number]]
        seed = reload_run(run["folder"].item(), run["seed"].item(), _places(config))
        nodes = pd.DataFrame({"split": split_column(seed.task), **run_columns(seed)})
        quarters = accuracy_by_hardness(nodes)
        stages = {method: ("student", "distillation_hardness")}
        if method == "glnn":  # all share its teacher
            stages[TEACHER] = ("teacher", "knowledge_hardness")
        for name, (stage, column) in stages.items():
            for quarter, accuracy in quarters[stage].items():
                yield measured(run, "accuracy", accuracy, method=name, part=quarter)
            hardness = nodes[column].dropna().to_numpy(float).clip(0, 1)
            counts, edges = np.histogram(hardness, BINS, (0, 1))
            for share, edge in zip(counts / counts.sum(), edges[:-1], strict=True):
                yield measured(run, column, share, method=name, part=f"{edge:.2f}")


def extraction_costs(runs: pd.DataFrame, cases: Sequence[Case]) -> pd.DataFrame:
    """Seconds per epoch of glnn and of the HGMD methods of one place, on glnn's first seed."""
    glnn = runs[runs["method"] == "glnn"].iloc[0]
    timed = runs[runs["method"].isin(["glnn", *HGMD]) & (runs["seed"] == glnn["seed"])]
    configs = {row.method: cases[row.case].config for row in timed.itertuples()}
    device = choose_device(configs["glnn"].device)
    origin = origin_columns(device)
    seed = reload_run(glnn["folder"], glnn["seed"], _places(configs["glnn"]))
    methods = {name: config.method for name, config in configs.items()}
    seconds = seconds_per_epoch(seed, methods, device)
    return measured(timed, "seconds_per_epoch", timed["method"].map(seconds), **origin)


def _places(config: Config) -> Mapping[str, str]:
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
