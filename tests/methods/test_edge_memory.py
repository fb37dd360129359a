"""Soft targets need little memory per edge, and do not depend on how the edges are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gkd_runner.data.synthetic import synthetic
from gkd_runner.graph import chunks
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.objective import SoftTarget
from tests.methods.losses import CASES, classroom, lecture, settings_of

CLASSES = 40
CHUNK = 2**14


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("values", [1, 30])
def test_soft_targets_are_the_same_in_chunks_and_at_once(
    case: str, values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = soft_targets(case)
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 4 * values)
    for chunked, whole in zip(soft_targets(case), at_once, strict=True):
        torch.testing.assert_close(chunked.mass, whole.mass, atol=1e-8, rtol=1e-6)
        torch.testing.assert_close(chunked.constant, whole.constant, atol=1e-7, rtol=1e-6)


def soft_targets(case: str) -> list[SoftTarget]:
    """Those of epochs 1 to 3, of two replicas."""
    talk = lecture(settings_of(case))
    found = [talk.method.soft_target(epoch, talk.seen_at(epoch)) for epoch in (1, 2, 3)]
    return [target for target in found if target is not None]


class Largest(TorchDispatchMode):
    """Remembers the bytes of the largest tensor that any operation gives."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        dense = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor) and not x.is_sparse_csr]
        self.bytes = max([self.bytes, *(x.numel() * x.element_size() for x in dense)])
        return out


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.distils])
def test_no_tensor_has_more_than_eight_bytes_per_edge(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside tensors of nodes; ``[E, C]`` would have 160 bytes per edge."""
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", CHUNK)
    graphs = [synthetic(400, classes=CLASSES, features=80, mean_degree=4.0, homophily=0.1, seed=s) for s in (0, 1)]
    pass
