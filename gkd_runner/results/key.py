"""The key of a configuration's results: a hash of all that shapes them but the seeds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import numpy as np
import torch

from gkd_runner.common.code import code_version
from gkd_runner.data.graph import GraphData
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config
from gkd_runner.training.precomputed import shaping_options

STUDENT_CODE = (
    "gkd_runner.data.protocols",
    "gkd_runner.results.scoring",
    "gkd_runner.training.soft_labels",
    "gkd_runner.training.student",
    "gkd_runner.training.teacher",
)
"""The modules from which everything that shapes a result is imported, but for the method."""

SHAPING = ("protocol", "setting", "teacher", "student", "method", "training", "calibration")
"""The options that shape a seed's result, beside graph and device."""


def config_key(config: Config, graph: GraphData, device: torch.device) -> str:
    """SHA-256 of all that shapes a seed's result: options, graph, device, torch, NumPy and code.

    What changes rounding alone is not in it: ``replicas``, the number of threads, the machine.
    """
    options = asdict(config)
    options["teacher"] = shaping_options(config.teacher, graph)
    if not config.method.uses_teacher:
        options["calibration"] = None  # no soft labels, nothing to calibrate
    parts = {name: options[name] for name in SHAPING} | {
        "preset": config.preset.name,  # tables go by it
        "deterministic": config.deterministic,
        "graph": graph.fingerprint,
        "family": config.dataset.family,
        "device": device.type,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "code": code_version(*STUDENT_CODE, METHODS[config.method.name].__module__),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
