"""The folder of an exported student: the names of its files, and the facts in ``config.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gkd_runner.common.errors import GkdError
from gkd_runner.predict.new_nodes import Recipe

CONFIG, CARD, PREPROCESSING = "config.json", "README.md", "preprocessing.py"
MODEL, INT8_MODEL, WEIGHTS = "model.onnx", "model_int8.onnx", "model.safetensors"
GRAPH, TABLE, OBSERVED = "graph.npz", "propagated.npy", "observed.npy"
WRITTEN = frozenset(
    {CONFIG, CARD, PREPROCESSING, MODEL, INT8_MODEL, WEIGHTS, GRAPH, TABLE, OBSERVED}
)
"""All files that an export may have."""

MODEL_TYPE = "gkd_student"
FORMAT = 1
"""Of ``config.json``; raised when its fields change their meaning."""


class PredictError(GkdError):
    """A request that an exported student cannot answer."""


@dataclass(frozen=True)
class Facts:
    """The facts about a student that its answers depend on.

    Attributes:
        dataset: name of its graph.
        num_features: columns of a node's raw features.
        feature_names: names of these columns; empty if they have none.
        classes: names of the classes, in the order of the model's outputs.
        seeds: of the students whose mean answer this is; mostly one.
        row_normalize: whether the rows of raw features are divided by their sums.
        propagated: whether the model reads propagated features, in ``propagated.npy``.
        recipe: how new nodes' features are propagated; ``None`` if that is not known.
        raw: all of ``config.json``.
    """

    dataset: str
    num_features: int
    feature_names: tuple[str, ...]
    classes: tuple[str, ...]
    seeds: tuple[int, ...]
    row_normalize: bool
    propagated: bool
    recipe: Recipe | None
    raw: Mapping[str, Any]


def read_facts(folder: Path) -> Facts:
    """Read ``config.json``. Raises ``PredictError`` if ``folder`` is not an exported student."""
    path = folder / CONFIG
    if not path.is_file():
        raise PredictError(f"{folder} is not an exported student: {_instead(folder)}")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        kind, version = raw.get("model_type"), raw.get("format")
    except (ValueError, AttributeError) as error:
        raise PredictError(f"{path} is damaged ({error}); export the run again") from error
    if kind != MODEL_TYPE:
        raise PredictError(
            f"{folder} is not an exported student: the model_type in its {CONFIG} is {kind!r}, not"
            f" {MODEL_TYPE!r}; make one with gkd-export"
        )
    if version != FORMAT:
        raise PredictError(
            f"{path} has format {version}, this version reads {FORMAT}; export the run again"
        )
    try:
        return facts_of(raw)
    except (KeyError, TypeError) as error:
        raise PredictError(f"{path} is damaged (no {error}); export the run again") from error


def _instead(folder: Path) -> str:
    if (folder / "result.json").is_file():
        return f"it is the folder of a run; export it first: gkd-export {folder}"
    if folder.is_dir():
        return f"it has no {CONFIG}; make one with gkd-export"
    return "there is no such folder; make one with gkd-export"


def facts_of(raw: Mapping[str, Any]) -> Facts:
    """The facts in the content of ``config.json``."""
    features, names = raw["features"], raw["id2label"]
    recipe = features["propagation"]
    return Facts(
        dataset=raw["training"]["dataset"],
        num_features=features["columns"],
        feature_names=tuple(features.get("names", ())),  # absent from older exports
        classes=tuple(names[str(number)] for number in range(len(names))),
        seeds=tuple(raw["seeds"]),
        row_normalize=features["row_normalize"],
        propagated=features["propagated"],
        recipe=Recipe(**recipe) if recipe else None,
        raw=raw,
    )
