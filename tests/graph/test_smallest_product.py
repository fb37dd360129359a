"""The search for the smallest product against all products written out in float64."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from support import CPU, silent

from gkd_runner.graph import smallest_product as module
from gkd_runner.graph.row_blocks import DenseRows, Rows, SparseRows
from gkd_runner.graph.smallest_product import (
    Balls,
    nearby_order,
    smallest_from_above,
    smallest_product,
)

HEIGHT, WIDTH = 24, 8
SIZES = (1, 2, 7, 8, 9, 23, 24, 25, 47, 48, 49, 100)


def unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0).astype(np.float32)


def made_up(kind: str, count: int, seed: int) -> np.ndarray:
    """Unit rows ``[count, 6]``."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, 6))
    if kind == "clustered":
        centres = np.random.default_rng(0).standard_normal((5, 6))
        rows = centres[rng.integers(0, 5, count)] + 0.05 * rows
    if kind == "nonnegative":
        rows = np.abs(rows)
    if kind == "sparse":
        rows *= rng.random(rows.shape) < 0.3
    if kind == "opposed":
        rows = np.outer(rng.choice([-1.0, 1.0], count), rows[0])
    return unit(rows)


KINDS = ("random", "clustered", "nonnegative", "sparse", "opposed")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", {"cpu": (HEIGHT, WIDTH)})
    monkeypatch.setattr(module, "STARTS", 4)


def as_dense(rows: np.ndarray) -> Rows:
    return DenseRows(torch.from_numpy(rows))


def as_sparse(rows: np.ndarray) -> Rows:
    return SparseRows(sp.csr_array(rows).__getitem__, len(rows), CPU)


def all_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left.astype(np.float64) @ right.T.astype(np.float64)


@pytest.mark.parametrize("stored", [as_dense, as_sparse])
@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_product_is_that_of_all_pairs(kind: str, stored) -> None:
    for seed, count in enumerate(SIZES):
        for other in (count, 8, 31):
            left, right = made_up(kind, count, seed), made_up(kind, other, seed + 100)
            found = smallest_product(stored(left), stored(right), -1.0, silent)
            assert found.value == pytest.approx(all_products(left, right).min(), abs=5e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_found_without_a_good_start(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "smallest_from_above", lambda *_: 1.0)
    for seed, count in enumerate(SIZES):
        left, right = made_up(kind, count, seed), made_up(kind, 50, seed + 100)
        found = smallest_product(as_dense(left), as_dense(right), -1.0, silent)
        assert found.value == pytest.approx(all_products(left, right).min(), abs=5e-7)


@pytest.mark.parametrize("stored", [as_dense, as_sparse])
def test_rows_of_zeros_count_as_products_of_zero(stored) -> None:
    left, right = (np.abs(made_up("clustered", 60, seed)) for seed in (1, 2))
    left[17] = 0
    assert smallest_product(stored(left), stored(right), -1.0, silent).value == 0
    assert smallest_product(stored(right), stored(left), -1.0, silent).value == 0
    assert smallest_product(stored(0 * left), stored(right), -1.0, silent).value == 0


def test_clustered_rows_are_hardly_multiplied() -> None:
    left, right = made_up("clustered", 400, 1), made_up("clustered", 400, 2)
    assert 0 < smallest_product(as_dense(left), as_dense(right), -1.0, silent).pairs < 0.2 * 400**2


def test_rows_without_any_order_are_all_multiplied() -> None:
    rng = np.random.default_rng(0)
    left, right = (unit(rng.standard_normal((400, 64))) for _ in range(2))
    found = smallest_product(as_dense(left), as_dense(right), -1.0, silent)
    assert found.pairs == 400**2
    assert found.value == pytest.approx(all_products(left, right).min(), abs=5e-7)


def test_it_ends_at_the_floor() -> None:
    left, right = made_up("random", 200, 1), made_up("random", 200, 2)
    found = smallest_product(as_dense(left), as_dense(right), 0.0, silent)
    assert found.value <= 0
    assert found.pairs == 0


@pytest.mark.parametrize("known", [-0.9, -0.3, 0.0, 0.4])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_out_is_never_below_the_known_product(kind: str, known: float) -> None:
    for seed in range(5):
        left, right = made_up(kind, 80, seed), made_up(kind, 90, seed + 50)
        left, right = left[left.any(axis=1)], right[right.any(axis=1)]
        balls = Balls.of(torch.from_numpy(right), WIDTH)
        kept = balls.may_undercut(torch.from_numpy(left), known)
        for number, row in enumerate(kept.numpy()):
            products = all_products(left, balls.columns(number, number + 1).numpy())
            assert row[(products < known).any(axis=1)].all()


@pytest.mark.parametrize("count", SIZES)
def test_the_order_holds_every_row_once(count: int) -> None:
    order = nearby_order(torch.from_numpy(made_up("random", count, 0)), WIDTH)
    assert sorted(order.tolist()) == list(range(count))


def test_the_order_puts_clusters_together() -> None:
    # of different lengths: no two clusters are alike along a main direction but for rounding
    lengths = np.arange(1, 7, dtype=np.float32)
    centres = np.repeat(np.diag(lengths), WIDTH, axis=0)
    mixed = np.random.default_rng(0).permutation(centres)
    ordered = mixed[nearby_order(torch.from_numpy(mixed), WIDTH).numpy()]
    for start in range(0, len(ordered), WIDTH):
        assert (ordered[start : start + WIDTH] == ordered[start]).all()


@pytest.mark.parametrize("stored", [as_dense, as_sparse])
@pytest.mark.parametrize("kind", KINDS)
def test_the_search_from_above_finds_a_product_of_two_rows(kind: str, stored) -> None:
    for seed, count in enumerate(SIZES):
        left, right = made_up(kind, count, seed), made_up(kind, 40, seed + 100)
        found = smallest_from_above(stored(left), stored(right), 3)
        assert np.abs(all_products(left, right) - found).min() < 5e-7


def test_the_search_from_above_finds_the_smallest_product_of_clusters() -> None:
    left, right = made_up("clustered", 300, 1), made_up("clustered", 300, 2)
    found = smallest_from_above(as_dense(left), as_dense(right), 16)
    assert found == pytest.approx(all_products(left, right).min(), abs=0.02)


def test_sparse_rows_are_dense_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", {"cpu": (400, 16)})
    rows = sp.random_array((2000, 2000), density=0.001, format="csr", dtype=np.float32, rng=0)
    rows.data -= 0.5
    stored = SparseRows(rows.__getitem__, 2000, CPU)
    tracemalloc.start()
    smallest_product(stored, stored, -1.0, silent)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * 2000 * 2000 * 4
