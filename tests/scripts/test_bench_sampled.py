"""Epochs on sampled nodes, as the graph grows."""

import pytest
from bench import sampled
from bench.clock import Spread
from bench.memory import in_process
from bench.results import Key, Line, Results
from bench.scaling_plot import panels


def test_time_and_memory_of_the_epochs_have_a_panel_each():
    lines = [
        Line(
            Key(sampled.SAMPLED, "student adaprop", str(nodes)),
            "epoch",
            Spread.of([0.01]),
            peak_bytes=2**23,
        )
        for nodes in (1_000, 10_000)
    ]
    times, memory = panels(Results("", {}, {}, lines))
    assert times.parts == {"student adaprop": [(1e3, 10.0), (1e4, 10.0)]}
    assert memory.parts == {"student adaprop": [(1e3, 8.0), (1e4, 8.0)]}


@pytest.mark.slow
@pytest.mark.parametrize("method", sampled.METHODS)
def test_a_size_is_measured_in_a_process_of_its_own(method):
    spent = sampled.Spent(**in_process("bench.sampled", {"scale": 0.02, "method": method}))
    assert len(spent.epoch_seconds) > 0
    assert min(spent.epoch_seconds) > 0
    assert spent.training_bytes > 0
