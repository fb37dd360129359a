from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import CPU, random_features
from torch import Tensor

from gkd_runner.graph.features import Features
from gkd_runner.models.forms import UNCERTAIN
from gkd_runner.models.inputs import DenseInputs, SparseInputs, row_inputs
from gkd_runner.models.layers import Initializer, activate, dropout, linear
from gkd_runner.models.streams import VALUES_AT_ONCE, Streams, keep_scale

NAME = "student dropout"
COMPANY = [11, 3, 0, 8, 2**40]
DROPS = [0.0, 0.1, 0.5, 0.6, 0.999]


def streams(*seeds: int, name: str = NAME) -> Streams:
    return Streams(seeds, name, CPU)


def every_word(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stream give each 16-bit word once, in order."""
    words = torch.arange(-(2**15), 2**15).to(torch.int16)

    def drawn(replica: int, count: int) -> torch.Tensor:
        nonlocal words
        own, words = words[:count], words[count:]
        return own

    monkeypatch.setattr(streams, "_words", drawn)


@pytest.mark.parametrize("place", range(len(COMPANY)))
def test_a_stream_draws_the_same_alone_and_in_company(place: int) -> None:
    alone, together = streams(COMPANY[place]), streams(*COMPANY)
    counts = [7, 4, 1, 30, 13]
    mine = slice(sum(counts[:place]), sum(counts[: place + 1]))
    own = [counts[place]]
    for _ in range(2):
        assert torch.equal(together.words(counts)[mine], alone.words(own))
        assert torch.equal(together.uniform(counts)[mine], alone.uniform(own))
        assert torch.equal(together.mask_flat(counts, 0.4)[mine], alone.mask_flat(own, 0.4))
        found = together.mask((len(COMPANY), 6, 5), 0.4)[place]
        assert torch.equal(found, alone.mask((1, 6, 5), 0.4)[0])


def test_streams_differ_by_seed_and_by_name() -> None:
    first, second = streams(0, 1).words([100, 100]).split(100)
    other = streams(0, name="edge sampling").words([100])
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_initial_weights_do_not_depend_on_company() -> None:
    together = Initializer(COMPANY, "student initialisation").xavier_uniform(6, 4)
    for place, seed in enumerate(COMPANY):
        alone = Initializer([seed], "student initialisation").xavier_uniform(6, 4)
        assert torch.equal(together[place], alone[0])


def test_words_are_spread_evenly() -> None:
    words = streams(5).words([2**20]).long() + 2**15
    counts = torch.bincount(words, minlength=2**16).double()
    chi_squared = float(((counts - 16) ** 2 / 16).sum())
    assert abs(chi_squared - 2**16) < 5 * math.sqrt(2 * 2**16)


@pytest.mark.parametrize("drop", DROPS)
def test_values_are_dropped_at_the_rate_asked_for(drop: float) -> None:
    n = 2**20
    kept = (streams(1).mask((1, 2**10, 2**10), drop) > 0).double().mean().item()
    assert kept == pytest.approx(1 - drop, abs=2**-16 + 5 * math.sqrt(drop * (1 - drop) / n))


@pytest.mark.parametrize("drop", DROPS)
def test_the_scale_makes_up_exactly_for_what_is_dropped(
    drop: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = streams(1)
    every_word(stream, monkeypatch)
    mask = stream.mask_flat([2**16], drop)
    assert int((mask > 0).sum()) * keep_scale(drop) == pytest.approx(2**16, rel=1e-12)
    assert mask.unique().tolist() == pytest.approx([0, keep_scale(drop)][drop == 0 :])


@pytest.mark.parametrize("drop", [0.999999, 1 - 1e-9])
def test_any_dropout_below_one_still_keeps_the_last_word(
    drop: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = streams(1)
    every_word(stream, monkeypatch)
    assert int((stream.mask_flat([2**16], drop) > 0).sum()) == 1
    assert keep_scale(drop) == 2**16


def test_uniform_numbers_are_uniform() -> None:
    drawn = streams(4).uniform([2**18]).double()
    assert drawn.mean().item() == pytest.approx(0.5, abs=5 / math.sqrt(12 * 2**18))
    assert drawn.var().item() == pytest.approx(1 / 12, abs=1e-3)
    shares = torch.histc(drawn, 16, 0, 1) / 2**18
    np.testing.assert_allclose(shares.numpy(), np.full(16, 1 / 16), atol=3e-3)


@pytest.mark.parametrize("word", [-(2**15), 0, 2**15 - 1])
def test_uniform_numbers_lie_strictly_between_zero_and_one(
    word: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = streams(1)
    fixed = torch.full((2,), word, dtype=torch.int16)
    monkeypatch.setattr(stream, "words", lambda counts: fixed)
    (drawn,) = stream.uniform([1]).tolist()
    assert 0 < drawn < 1


def mask(shape: tuple[int, ...], drop: float, *seeds: int) -> Tensor:
    return streams(*seeds).mask(shape, drop)


@pytest.mark.parametrize("drop", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("nodes", [9, 2 * VALUES_AT_ONCE // 5 + 3])
def test_an_activation_equals_a_masked_relu_forward_and_backward(drop: float, nodes: int) -> None:
    shape = (2, nodes, 5)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()
    bias = torch.randn(2, 1, 5, dtype=torch.float64, generator=generator).requires_grad_()
    upstream = torch.randn(*shape, dtype=torch.float64, generator=generator)
    expected = torch.relu(z + bias) * mask(shape, drop, 0, 1)
    found = activate(z + 0, bias, drop, streams(0, 1))
    torch.testing.assert_close(found, expected)
    ours, theirs = (torch.autograd.grad((y * upstream).sum(), (z, bias)) for y in (found, expected))
    torch.testing.assert_close(ours, theirs)


def test_the_padding_of_an_activation_becomes_zero_and_draws_nothing() -> None:
    z, bias = torch.ones(2, 9, 5), torch.ones(2, 1, 5)
    padded = activate(z.clone(), bias, 0.5, streams(0, 1), rows=(9, 4))
    assert torch.equal(padded[0], activate(z[:1].clone(), bias[:1], 0.5, streams(0))[0])
    alone = activate(z[1:, :4].clone(), bias[1:], 0.5, streams(1))[0]
    assert torch.equal(padded[1], torch.cat([alone, torch.zeros(5, 5)]))


@pytest.mark.parametrize("width", [3, 8])
def test_the_gradients_of_a_linear_layer(width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 6, 5, dtype=torch.float64, generator=generator).requires_grad_()
    weight = torch.randn(2, 5, width, dtype=torch.float64, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(linear, (x, weight))  # type: ignore[no-untyped-call]


def test_without_streams_nothing_is_dropped() -> None:
    z, bias = torch.randn(2, 1, 9, 5, generator=torch.Generator().manual_seed(0))
    bias = bias[:, :1]
    expected = torch.relu(z + bias)
    assert torch.equal(activate(z.clone(), bias, 0.5, None), expected)
    assert dropout(z, 0.5, None) is z


def test_dropout_of_sparse_inputs_drops_stored_values_and_keeps_zeros(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(UNCERTAIN, "cpu", (0.0, 0.0))
    blocks = [random_features(20, 30, density=0.3, seed=seed) for seed in (0, 1)]
    made = row_inputs([Features(block) for block in blocks], CPU)
    assert isinstance(made, SparseInputs)
    dropped = made.with_dropout(0.4, streams(0, 1))
    identity = torch.eye(30).expand(2, -1, -1)
    before, after = made.matmul(identity), dropped.matmul(identity)
    kept = after != 0
    assert (after[before == 0] == 0).all()
    torch.testing.assert_close(after[kept], before[kept] * keep_scale(0.4))
    share = kept.sum() / (before != 0).sum()
    assert 0.5 < share < 0.7
    weight = torch.randn(2, 30, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = torch.randn(2, 20, 4, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((dropped.matmul(weight) * upstream).sum(), weight)
    torch.testing.assert_close(gradient, after.transpose(1, 2) @ upstream)


def test_replicas_that_share_dense_features_drop_each_its_own() -> None:
    features = Features(random_features(20, 30))
    made = row_inputs([features, features], CPU)
    assert isinstance(made, DenseInputs)
    assert made.x.shape[0] == 1
    dropped = made.with_dropout(0.4, streams(0, 1))
    expected = made.x * mask((2, 20, 30), 0.4, 0, 1)
    torch.testing.assert_close(dropped.x, expected)
    assert not torch.equal(dropped.x[0], dropped.x[1])
