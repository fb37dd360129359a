"""The facts about an exported student, as plain data for ``config.json``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gkd_runner.common.version import __version__
from gkd_runner.config.presets import Hyperparameters, hyperparameters_text
from gkd_runner.graph.propagation import Propagation
from gkd_runner.predict import folder as files
from gkd_runner.results.identity import identity
from gkd_runner.results.scores import table
from gkd_runner.runs.reload import ReloadedStudent

LICENCES = Path(__file__).with_name("licences.csv")


def base_facts(
    seeds: Sequence[ReloadedStudent], propagation: Propagation | None, *, propagated: bool
) -> dict[str, Any]:
    """All facts that are known before anything is exported."""
    first = seeds[0]
    graph, config = first.task.graph, first.config
    names = graph.classes[: graph.num_classes]  # those that the model answers
    return {
        "model_type": files.MODEL_TYPE,
        "format": files.FORMAT,
        "gkd_runner_version": __version__,
        "architectures": [config.student.name],
        "num_layers": config.student.num_layers,
        "hidden_size": config.student.hidden_dim,
        "num_labels": graph.num_classes,
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
        "features": {
            "columns": graph.num_features,
            "names": list(graph.feature_names),
            "row_normalize": config.dataset.row_normalize,
            "propagated": propagated,
            "propagation": asdict(propagation) if propagated and propagation else None,
        },
        "seeds": [seed.result.seed for seed in seeds],
        "split": first.result.split,
        "training": _training(first),
        "data": _data(first),
        "scores": _scores(seeds),
        "provenance": _provenance(first),
    }


def _training(reloaded: ReloadedStudent) -> dict[str, Any]:
    config, origin = reloaded.config, reloaded.run.raw["hyperparameters"]
    method = reloaded.method.config  # that of the variant which was kept
    text = hyperparameters_text(
        Hyperparameters(origin["kind"], tuple(origin["rows"]), origin["changed"]),
        preset=config.preset.name,
        dataset=config.dataset.name,
        calibrated=config.calibration != "none" and method.uses_teacher,
    )
    return {
        **identity(config),
        "largest_component": config.dataset.family in config.protocol.largest_component,
        "label_fraction": config.protocol.label_fraction,
        "teacher_options": asdict(config.teacher),
        "teacher_file": reloaded.run.raw.get("teacher_file"),
        "student_options": asdict(config.student),
        "method_options": asdict(method),
        "length": asdict(config.training),
        "hyperparameters": origin,
        "hyperparameters_text": text,
    }


def _data(reloaded: ReloadedStudent) -> dict[str, Any]:
    task = reloaded.task
    parts = {part: len(getattr(task.split, part)) for part in ("train", "val", "test")}
    return {
        "fingerprint": task.graph.fingerprint,
        "nodes": task.graph.num_nodes,
        "edges": task.graph.num_edges // 2,
        "split": {**parts, "hidden": len(task.hidden)},
        "licence": licence(reloaded.config.dataset.name),
    }


def _scores(seeds: Sequence[ReloadedStudent]) -> dict[str, Any]:
    run = seeds[0].run
    by = run.select_by
    return {
        "recorded": {
            str(seed.result.seed): {
                "teacher": asdict(seed.result.teacher.scores),
                "student": asdict(seed.result.student.scores),
                "temperature": seed.result.temperature,
                **asdict(seed.result.diagnostics),
            }
            for seed in seeds
        },
        "over_seeds": {"seeds": [seed.seed for seed in run.seeds], **table(run.seeds)},
        **({} if by == "accuracy" else {by: table(run.seeds, by)}),
    }


def _provenance(reloaded: ReloadedStudent) -> dict[str, Any]:
    raw = reloaded.run.raw
    kept = {name: raw[name] for name in ("versions", "device", "git")}
    return {
        "run": reloaded.run.path.name,
        "key": reloaded.run.key,
        "started": reloaded.run.started,
        **kept,
    }


def licence(dataset: str) -> dict[str, str] | None:
    """The licence of a known dataset and who says so; ``None`` for others."""
    with LICENCES.open(encoding="utf-8", newline="") as stream:
        rows = {row.pop("dataset"): row for row in csv.DictReader(stream)}
    return rows.get(dataset)
