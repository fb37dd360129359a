"""Dropout on the features of a student."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from support import CPU

from gkd_runner.graph.features import Features
from gkd_runner.models.inputs import DenseInputs, RawInputs, row_inputs
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp
from gkd_runner.models.streams import Streams

NODES, COLUMNS = 400, 50


def inputs(form: str) -> RawInputs:
    x = np.ones((NODES, COLUMNS), dtype=np.float32)
    base = sp.csr_array(x) if form == "sparse" else x
    return row_inputs([Features(base)] * 2, CPU, 8)


def linear_model(input_drop: float) -> Mlp:
    """One layer whose answer is the sum of the features."""
    model = Mlp(0.5, [COLUMNS, 1], Initializer((0, 1), "student initialisation"), input_drop)
    with torch.no_grad():
        model.weights[0].fill_(1.0)
        model.biases[0].zero_()
    return model


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_the_kept_features_are_scaled_up_so_that_their_mean_stays(form: str) -> None:
    sums = linear_model(0.4)(inputs(form), Streams((0, 1), "a", CPU)).detach()
    kept = sums * 0.6
    torch.testing.assert_close(kept, kept.round(), atol=1e-2, rtol=0)
    torch.testing.assert_close(sums.mean((1, 2)), torch.full((2,), 50.0), rtol=0.02, atol=0)
    assert not torch.equal(sums[0], sums[1])


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_answers_without_dropout_read_all_features(form: str) -> None:
    model = linear_model(0.4)
    torch.testing.assert_close(model(inputs(form)), torch.full((2, NODES, 1), 50.0))


def test_a_model_without_dropout_on_features_draws_nothing_for_them() -> None:
    streams = Streams((0, 1), "a", CPU)
    dense = inputs("dense")
    assert isinstance(dense, DenseInputs)
    torch.testing.assert_close(linear_model(0.0)(dense, streams), torch.full((2, NODES, 1), 50.0))
    fresh = Streams((0, 1), "a", CPU)
    assert torch.equal(streams.words([8, 8]), fresh.words([8, 8]))
