"""Made-up measurements of all studies, no two of them alike, and a folder with their CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from gkd_runner.nodes.quarters import QUARTERS
from gkd_runner.studies import STUDIES, ablation, hardness, recipe, scarcity
from gkd_runner.studies.inference import SIZES
from gkd_runner.studies.sweep import TEACHER
from gkd_runner.studies.training_subset import GROUPINGS, SIDES

Row = dict[str, Any]

DATASETS = ("cora", "citeseer", "pubmed")
SETTINGS = ("transductive", "inductive")
SEEDS = (0, 1, 2)
NAMES = (
    "hardness",
    "hardness-quarters",
    "hardness-hgmd",
    "influence",
    "ablation",
    "scarcity",
    "recipe",
)
FIGURES = tuple(
    f"{name}-infgrand-{setting}"
    for setting in SETTINGS
    for name in (*NAMES, "inference-1-thread-of-cpu")
)
"""The figures that they make."""

SHIFT = {"cora": 0.0, "citeseer": -0.1, "pubmed": 0.1}
"""Of accuracies on a graph; seeds differ by a point, to either side of the middle one."""


def write_studies(folder: Path) -> None:
    """All studies of a GCN on three graphs in both settings."""
    for name, table in all_studies().items():
        STUDIES[name].measurements(name, folder).add(table)


def all_studies() -> dict[str, pd.DataFrame]:
    """The measurements of each study."""
    makers = {
        "hardness": hardness_rows,
        "influence": influence_rows,
        "ablation": ablation_rows,
        "scarcity": scarcity_rows,
        "recipe": recipe_rows,
        "inference": inference_rows,
    }
    places = list(product(DATASETS, SETTINGS))
    return {
        name: STUDIES[name].form.table([row for d, s in places for row in make(d, s)])
        for name, make in makers.items()
    }


def row(dataset: str = "cora", setting: str = "transductive", **fields: Any) -> Row:
    """One measurement of a sweep."""
    given = {
        "protocol": "infgrand", "teacher": "gcn", "preset": "common", "calibration": "temperature",
        "layers": 2, "hidden_dim": 8, "method": "infgrand", "variant": "", "seed": 0,
        "measure": "accuracy", "part": "", "value": 0.8, "run": "r", "threads": None,
        "device": "cpu", "commit": "", "configuration": "c",
    }  # fmt: skip
    return {"dataset": dataset, "setting": setting, **given, **fields}


def accuracies(dataset: str, setting: str, value: float, **fields: Any) -> Iterator[Row]:
    """A row per seed, ``value`` on average on Cora."""
    for seed in SEEDS:
        shifted = value + SHIFT[dataset] + (seed - 1) / 100
        yield row(dataset, setting, seed=seed, value=shifted, **fields)


ABLATION = {"both parts": 0.80, "propagation only": 0.79, "influence only": 0.76, "neither": 0.75}


def ablation_rows(dataset: str, setting: str) -> Iterator[Row]:
    variants = [variant for group in ablation.GROUPS.values() for variant in group]
    for number, variant in enumerate(variants):
        value = ABLATION.get(variant, 0.5 + number / 100)
        method = "mlp" if variant == "mlp" else "infgrand"
        yield from accuracies(dataset, setting, value, variant=variant, method=method)


def recipe_rows(dataset: str, setting: str) -> Iterator[Row]:
    for number, (variant, options) in enumerate(recipe.VARIANTS.items()):
        where = {"variant": variant, "method": options["method"]}
        yield from accuracies(dataset, setting, 0.6 + number / 100, **where)
        validated = {"measure": recipe.VALIDATION, "part": "val"}
        yield from accuracies(dataset, setting, 0.7 + number / 50, **validated, **where)


SCARCITY = {TEACHER: 0.60, "glnn": 0.61, "hgmd-mixup": 0.62, "infgrand": 0.66}
"""With 10% of the labels; InfGraND loses a point with every larger share."""


def scarcity_rows(dataset: str, setting: str) -> Iterator[Row]:
    for number, share in enumerate(scarcity.SHARES):
        protocol = "infgrand" if share == scarcity.ALL else f"infgrand-labels{share.rstrip('%')}"
        for method, value in SCARCITY.items():
            gained = value + number / 10 - (number / 100 if method == "infgrand" else 0)
            where = {"variant": share, "method": method, "protocol": protocol}
            yield from accuracies(dataset, setting, gained, **where)


HARDNESS = {"mlp": 0.4, TEACHER: 0.6, "glnn": 0.7, "hgmd-weight": 0.72, "hgmd-mixup": 0.73,
            "infgrand": 0.71}  # fmt: skip
"""In the hardest quarter; every easier one is two points better, with HGMD three."""

SECONDS = {"glnn": 1.0, "hgmd-weight": 2.0, "hgmd-mixup": 4.0}


def hardness_rows(dataset: str, setting: str) -> Iterator[Row]:
    for method, hardest in HARDNESS.items():
        where = {"method": method, "variant": hardness.variant_of(method)}
        step = 0.03 if method in hardness.HGMD else 0.02
        for easier, part in enumerate(reversed(QUARTERS)):
            yield from accuracies(dataset, setting, hardest + easier * step, part=part, **where)
        yield from accuracies(dataset, setting, hardest + 1.5 * step, **where)
        column = "knowledge_hardness" if method == TEACHER else "distillation_hardness"
        for part, share in (("0.00", 0.25), ("0.50", 0.75)):
            yield row(dataset, setting, measure=column, part=part, value=share, **where)
    for number, variant in enumerate(hardness.HARDNESSES[1:], start=1):
        for method in hardness.HGMD:
            value = HARDNESS[method] + 0.045 - number / 100
            yield from accuracies(dataset, setting, value, variant=variant, method=method)
    for method, value in SECONDS.items():
        variant = hardness.variant_of(method)
        where = {"measure": "seconds_per_epoch", "threads": 1, "variant": variant}
        yield row(dataset, setting, method=method, value=value, **where)


INFLUENCE = {("overall", "top"): 0.62, ("overall", "bottom"): 0.60, ("per-class", "top"): 0.66,
             ("per-class", "bottom"): 0.67}  # fmt: skip


def influence_rows(dataset: str, setting: str) -> Iterator[Row]:
    for measure, value in (("influence_degree_spearman", 0.3), ("influence_seconds", 0.02)):
        yield _influence(
            dataset, setting, teacher="", layers=None, hidden_dim=None, grouping="", side="",
            measure=measure, value=value,
        )  # fmt: skip
    for grouping, side, seed in product(GROUPINGS, SIDES, SEEDS):
        accuracy = INFLUENCE[grouping, side] + SHIFT[dataset] + (seed - 1) / 100
        for measure, value in (("test_accuracy", accuracy), ("seconds_per_epoch", 0.01)):
            yield _influence(
                dataset, setting, grouping=grouping, side=side, seed=seed, measure=measure,
                value=value, classes=3 if side == "top" else 2,
            )  # fmt: skip


def _influence(dataset: str, setting: str, **fields: Any) -> Row:
    given = {
        "protocol": "infgrand", "teacher": "gcn", "layers": 2, "hidden_dim": 8, "nodes": 10,
        "classes": 3, "seed": 0, "repeats": 1, "threads": 1, "device": "cpu", "commit": "",
        "configuration": "c",
    }  # fmt: skip
    return {"dataset": dataset, "setting": setting, **given, **fields}


TIMES = {"gnn": 8.0, "mlp": 1.0, "infgrand-mlp": 2.0, "infgrand-mlp-on-request": 4.0}


def inference_rows(dataset: str, setting: str) -> Iterator[Row]:
    for gnn, (number, size) in product(("gcn", "sage"), enumerate(SIZES)):
        for model, seconds in TIMES.items():
            taken = seconds * (1 + number if model == "gnn" else 1)
            yield inference_row(
                dataset, setting, teacher=gnn, model=gnn if model == "gnn" else model, size=size,
                median_seconds_per_node=taken, low=0.9 * taken, high=1.1 * taken,
            )  # fmt: skip


def inference_row(dataset: str, setting: str = "transductive", **fields: Any) -> Row:
    """One measurement of an inference study."""
    given = {
        "protocol": "infgrand", "layers": 2, "hidden_dim": 8, "nodes": 1, "low": 1.0, "high": 1.0,
        "peak_bytes": 1000, "nodes_read": 3.0, "repeats": 5, "threads": 1, "device": "cpu",
        "commit": "", "configuration": "c",
    }  # fmt: skip
    return {"dataset": dataset, "setting": setting, **given, **fields}
