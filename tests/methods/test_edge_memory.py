"""Soft targets need little memory per edge, and do not depend on how the edges are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gkd_runner.data.graph import GraphData
from gkd_runner.graph import chunks
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.aggregate import Aggregator
from gkd_runner.methods.objective import SoftTarget
from tests.methods.losses import (
    CASES,
    CLASSES,
    SEEDS,
    classroom,
    lecture,
    logits,
    settings_of,
    two_graphs,
)
from tests.support import looped_batch, random_features

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


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("replica", [0, 1])
def test_soft_targets_in_chunks_are_those_of_the_replica_alone(
    case: str, replica: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, teacher, watched = build_method(settings_of(case)), logits(0), logits(1)
    only = slice(replica, replica + 1)
    method.prepare(classroom(two_graphs()[only], teacher[only], SEEDS[only]))
    alone = [method.soft_target(1, None), *(method.soft_target(e, watched[only]) for e in (2, 3))]
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 4 * 30)
    for mine, together in zip(alone, soft_targets(case), strict=True):
        torch.testing.assert_close(mine.mass, together.mass[only], atol=1e-8, rtol=1e-6)
        torch.testing.assert_close(mine.constant, together.constant[only], atol=1e-7, rtol=1e-6)


def soft_targets(case: str) -> list[SoftTarget]:
    """Those of epochs 1 to 3, of two replicas."""
    talk = lecture(settings_of(case))
    return [talk.method.soft_target(epoch, talk.seen_at(epoch)) for epoch in (1, 2, 3)]


def test_sums_over_a_million_edges_are_accurate() -> None:
    graph = crowded_graph(0, nodes=1500)
    batch = looped_batch([graph])
    assert batch.num_edges > 1_000_000
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(batch.num_edges, generator=generator) / batch.num_edges
    probabilities = torch.randn(1, 1500, CLASSES, generator=generator).softmax(2)
    found = Aggregator(batch, probabilities)(weights)
    matrix = sp.csr_array(
        (weights.double().numpy(), batch.senders.numpy(), batch.offsets.numpy()), (1500, 1500)
    )
    exact = probabilities[0].double().numpy()
    np.testing.assert_allclose(found.mass[0], matrix @ exact, rtol=2e-6)
    constant = -(matrix @ entropy(exact, axis=1)).sum()
    np.testing.assert_allclose(found.constant, [constant], rtol=1e-6)


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


def crowded_graph(seed: int, nodes: int = NODES) -> GraphData:
    """A graph with far more edges than nodes."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((nodes, nodes)) < 0.5, k=1)
    adjacency = sp.csr_array((upper + upper.T).astype(np.float32))
    features = random_features(nodes, 6, seed=seed)
    return GraphData("crowded", adjacency, features, np.arange(nodes) % CLASSES)
