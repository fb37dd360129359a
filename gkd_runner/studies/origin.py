"""Where a measurement that a study takes comes from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch

from gkd_runner.results.stored import provenance
from gkd_runner.runs.environment import describe_environment


def origin_columns(device: torch.device) -> dict[str, Any]:
    """Threads, device and commit of what is measured now; ask early, the checkout may change."""
    return {"threads": torch.get_num_threads(), **provenance(describe_environment(device))}


def configuration_hash(*parts: Any) -> str:
    """The hash of plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
