"""The folder of an exported student: the names of its files, and the facts in ``config.json``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gkd_runner.common.checksums import CHECKSUM, FILES, check_listed, check_seal
from gkd_runner.common.errors import DamageError, GkdError
from gkd_runner.predict.new_nodes import Recipe

CONFIG, CARD, PREPROCESSING = "config.json", "README.md", "preprocessing.py"
MODEL, INT8_MODEL, WEIGHTS = "model.onnx", "model_int8.onnx", "model.safetensors"
GRAPH, TABLE, OBSERVED = "graph.npz", "propagated.npy", "observed.npy"
WRITTEN = frozenset(
    {CONFIG, CARD, PREPROCESSING, MODEL, INT8_MODEL, WEIGHTS, GRAPH, TABLE, OBSERVED}
)
"""All files that an export may have."""

MODEL_TYPE = "gkd_student"
FORMAT = 2
"""Of ``config.json``; raised when its fields change their meaning."""

UNSEALED = 1
"""The format without checksums, which is read all the same."""

logger = logging.getLogger("gkd_runner")


AGAIN = "export the run again"


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
        raise PredictError(f"{path} is damaged ({error}); {AGAIN}") from error
    if kind != MODEL_TYPE:
        raise PredictError(
            f"{folder} is not an exported student: the model_type in its {CONFIG} is {kind!r}, not"
            f" {MODEL_TYPE!r}; make one with gkd-export"
        )
    if version not in (UNSEALED, FORMAT):
        raise PredictError(
            f"{path} has format {version}, this version reads {UNSEALED} and {FORMAT}; {AGAIN}"
        )
    try:
        if version == FORMAT or CHECKSUM in raw:
            check_seal(raw)
        else:
            logger.warning(
                "%s: earlier versions wrote no checksums, so that damage goes unnoticed; %s",
                folder, AGAIN,
            )  # fmt: skip
        return facts_of(raw)
    except (DamageError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise PredictError(f"{path} is damaged ({error}); {AGAIN}") from error


def check_file(folder: Path, name: str, facts: Facts) -> None:
    """Raise ``PredictError`` unless the file is as the export wrote it.

    Files of format 1, which has no checksums, are not checked.
    """
    if CHECKSUM not in facts.raw:
        return
    try:
        check_listed(folder, name, facts.raw[FILES])
    except (DamageError, OSError) as error:
        raise PredictError(f"{folder / name} is damaged ({error}); {AGAIN}") from error


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
