"""Made-up measurements of all studies, and the folder that has them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from gkd_runner.nodes.summary import QUARTILES
from gkd_runner.studies import STUDIES, ablation, hardness_report, inference, scarcity
from gkd_runner.studies.influence_report import Line as InfluenceLine
from gkd_runner.studies.quarters import all_quarters
from gkd_runner.studies.sweep import TEACHER, Line

NAMES = ("hardness", "hardness-quarters", "hardness-hgmd", "influence", "ablation", "scarcity")
FIGURES = tuple(
    figure
    for setting in ("transductive", "inductive")
    for figure in (*(f"{name}-{setting}" for name in NAMES), f"inference-{setting}-1-cpu")
)
"""The figures that they make."""

DATASETS = ("cora", "citeseer")
SETTINGS = ("transductive", "inductive")
SEEDS = (0, 1)


def write_studies(folder: Path) -> None:
    """All studies of a GCN on two graphs in both settings."""
    places = list(product(DATASETS, SETTINGS))
    makers = {
        "hardness": _hardness,
        "ablation": _ablation,
        "scarcity": _scarcity,
        "influence": _influence,
        "inference": _inference,
    }
    for name, make in makers.items():
        lines = [line for dataset, setting in places for line in make(dataset, setting)]
        STUDIES[name].lines(name, folder).add(lines)


def line(dataset: str = "cora", setting: str = "transductive", **fields: Any) -> Line:
    """One line of a sweep."""
    given = {
        "protocol": "infgrand", "teacher": "gcn", "layers": 2, "hidden_dim": 8,
        "method": "infgrand", "variant": "", "seed": 0, "measure": "accuracy", "part": "",
        "value": 0.8, "run": "r", "device": "cpu", "commit": "",
    }  # fmt: skip
    return Line(dataset=dataset, setting=setting, **given | fields)


def _ablation(dataset: str, setting: str) -> Iterator[Line]:
    variants = ablation.PARTS | ablation.POOLINGS | ablation.HOPS
    for number, (variant, seed) in enumerate(product(variants, SEEDS)):
        yield line(dataset, setting, variant=variant, seed=seed, value=0.7 + number / 1000)


def _scarcity(dataset: str, setting: str) -> Iterator[Line]:
    for number, (share, method, seed) in enumerate(
        product(scarcity.SHARES, (TEACHER, *scarcity.METHODS), SEEDS)
    ):
        yield line(
            dataset, setting, variant=share, method=method, seed=seed, value=0.6 + number / 1000
        )


def _hardness(dataset: str, setting: str) -> Iterator[Line]:
    for method, seed in product((TEACHER, *hardness_report.METHODS), SEEDS):
        variant = "" if method == TEACHER else hardness_report.variant_of(method)
        where = {"method": method, "seed": seed}
        for part in ("", *QUARTILES):
            yield line(dataset, setting, variant=variant, part=part, **where)
        column = "knowledge_hardness" if method == TEACHER else "distillation_hardness"
        for part, share in (("0.00", 0.25), ("0.50", 0.75)):
            yield line(
                dataset, setting, variant=variant, measure=column, part=part, value=share, **where
            )
        for hardness in hardness_report.HARDNESSES[1:] if method in hardness_report.HGMD else ():
            yield line(dataset, setting, variant=hardness, **where)
    for method, seconds in (("glnn", 1.0), ("hgmd-weight", 2.0), ("hgmd-mixup", 4.0)):
        yield line(dataset, setting, method=method, measure="seconds_per_epoch", value=seconds)


def _influence(dataset: str, setting: str) -> Iterator[InfluenceLine]:
    where = {
        "dataset": dataset, "protocol": "infgrand", "setting": setting, "repeats": 1, "threads": 1,
        "device": "cpu", "commit": "", "nodes": 10, "classes": 3,
    }  # fmt: skip
    for measure, value in (("influence_degree_spearman", 0.3), ("influence_seconds", 0.02)):
        yield InfluenceLine(
            **where, teacher="", layers=None, hidden_dim=None, quarter="", side="", seed=0,
            measure=measure, value=value, key="",
        )  # fmt: skip
    for quarter, seed in product(all_quarters(), SEEDS):
        for measure, value in (("test_accuracy", 0.6 + seed / 100), ("seconds_per_epoch", 0.01)):
            yield InfluenceLine(
                **where, teacher="gcn", layers=2, hidden_dim=8, quarter=quarter.quarter,
                side=quarter.side, seed=seed, measure=measure, value=value, key=f"{quarter}{seed}",
            )  # fmt: skip


def _inference(dataset: str, setting: str) -> Iterator[inference.Line]:
    for gnn, batch in product(("gcn", "sage"), (*inference.BATCHES, 2000)):
        models = {gnn: 8.0, "mlp": 1.0, "infgrand-mlp": 2.0, "infgrand-mlp-on-request": 4.0}
        for model, seconds in models.items():
            yield inference.Line(
                dataset=dataset, setting=setting, teacher=gnn, model=model, layers=2, hidden_dim=8,
                batch=batch, median_seconds_per_node=seconds, low=0.9 * seconds,
                high=1.1 * seconds, peak_bytes=1000, nodes_read=3.0, repeats=5, threads=1,
                device="cpu", commit="",
            )  # fmt: skip
