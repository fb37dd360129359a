"""Soft targets need little memory per edge, and do not depend on how the edges are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gkd_runner.data.graph import GraphData
from gkd_runner.graph import chunks
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.objective import SoftTarget
from tests.methods.losses import CASES, CLASSES, SEEDS, classroom, lecture, settings_of
from tests.support import random_features

NODES = 300


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
def test_no_tensor_takes_more_than_eight_bytes_per_edge(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of edges times classes would take 16 bytes, uniform numbers in float64 as many."""
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 2**14)
    graphs = [crowded_graph(seed) for seed in range(len(SEEDS))]
    watched = 2 * torch.randn(
        len(SEEDS), NODES, CLASSES, generator=torch.Generator().manual_seed(0)
    )
    room = classroom(graphs, watched.flip(0))
    taught = build_method(settings_of(method if method in CASES else f"{method} over edges"))
    with Largest() as largest:
        taught.prepare(room)
        for epoch in (1, 2):
            taught.soft_target(epoch, None if epoch == 1 else watched)
    assert 0 < largest.bytes <= 8 * room.graph.num_edges


def crowded_graph(seed: int) -> GraphData:
    """A graph with far more edges than nodes."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((NODES, NODES)) < 0.5, k=1)
    adjacency = sp.csr_array((upper + upper.T).astype(np.float32))
    features = random_features(NODES, 6, seed=seed)
    return GraphData("crowded", adjacency, features, np.arange(NODES) % CLASSES)
