"""The record of a run on disk: what happened (JSONL), what came out (JSON), what was learnt."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import Tensor

from gkd_runner.code import code_version
from gkd_runner.config.schema import Config
from gkd_runner.data.graph import GraphData
from gkd_runner.methods import METHODS
from gkd_runner.stored import cell_folder
from gkd_runner.training.fit import Epoch

STUDENT_CODE = (
    "gkd_runner.data.protocols",
    "gkd_runner.scoring",
    "gkd_runner.training.soft_labels",
    "gkd_runner.training.student",
    "gkd_runner.training.teacher",
)
"""The modules from which everything that shapes a result is imported, but for the method."""

SHAPING = ("protocol", "setting", "teacher", "student", "method", "training", "calibration")
"""The options that shape a seed's result, beside graph and device."""


def config_key(config: Config, graph: GraphData, device: torch.device) -> str:
    """SHA-256 of all that shapes a seed's result: options, graph, device, torch and code."""
    options = asdict(config)
    if config.method.lam == 1:
        options["calibration"] = None  # no soft labels, nothing to calibrate
    parts = {name: options[name] for name in SHAPING} | {
        "preset": config.preset.name,  # tables go by it
        "graph": graph.fingerprint,
        "family": config.dataset.family,
        "device": device.type,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "code": code_version(*STUDENT_CODE, METHODS[config.method.name].__module__),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Record:
    """One run's folder. ``result.json`` comes last and atomically: it means finished."""

    def __init__(self, config: Config, key: str) -> None:
        self.key = key
        self.started = datetime.now().astimezone()
        self.path = _new_folder(config, self.key, self.started)
        (self.path / "config.yaml").write_text(OmegaConf.to_yaml(config), encoding="utf-8")
        self._metrics: TextIO = (self.path / "metrics.jsonl").open(
            "w",
            buffering=1,  # by line, so that a killed run keeps what it had
            encoding="utf-8",
        )

    def epoch(self, stage: str, seed: int, epoch: Epoch) -> None:
        """Append one epoch of one seed's stage."""
        line = {"stage": stage, "seed": seed, **epoch._asdict()}
        self._metrics.write(json.dumps(line) + "\n")

    def weights(self, seed: int, state: Mapping[str, Tensor]) -> None:
        """Save one seed's student."""
        contiguous = {name: value.contiguous() for name, value in state.items()}
        save_file(contiguous, self.path / f"student-{seed}.safetensors")

    def result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``."""
        partial = self.path / "result.json.part"
        partial.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(self.path / "result.json")

    def close(self) -> None:
        """Flush the metrics; called whether the run finished or failed."""
        self._metrics.close()


def _new_folder(config: Config, key: str, started: datetime) -> Path:
    parent = cell_folder(config)
    stamp = started.strftime("%Y%m%d-%H%M%S")
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{stamp}-{key[:8]}"
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:  # the same configuration started twice in this second
            folder = parent / f"{stamp}-{key[:8]}-{os.urandom(2).hex()}"
