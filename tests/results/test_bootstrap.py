"""Intervals over graphs and runs: what they are, and how often they hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, t

from gkd_runner.results.bootstrap import Estimate, Resamples
from gkd_runner.results.cells import Cell, Cells, Floats
from gkd_runner.results.versus import versus


def cells_of(values: Sequence[tuple[str, Floats]]) -> Cells:
    """Cells of the methods a and b; each a graph and ``[2, n]``."""
    cells = tuple(
        Cell(graph, "transductive", f"teacher {number}", accuracies)
        for number, (graph, accuracies) in enumerate(values)
    )
    return Cells(("a", "b"), cells, 0, {})


def made_up(
    random: np.random.Generator, spread: float, graphs: int = 6, cells: int = 2, seeds: int = 5
) -> Cells:
    """No true difference: ``spread`` between graphs, 1 between seeds, in points."""
    values = []
    for graph in range(graphs):
        of_graph = random.normal(0, spread)
        for _ in range(cells):
            gaps = of_graph + random.normal(0, 1, seeds)
            values.append((f"g{graph}", 0.8 + np.array([gaps, np.zeros(seeds)]) / 100))
    return cells_of(values)


def differences(cell: Cell, shares: Floats) -> Floats:
    return np.asarray(shares @ (cell.scores[:1] - cell.scores[1:]).T)


def interval(cells: Cells, number: int = 10_000) -> Estimate:
    return Resamples(cells, number).estimates(differences)[0]


def runs_alone(cells: Cells, random: np.random.Generator) -> tuple[float, float]:
    """The percentile interval of a bootstrap that takes the graphs as given."""
    gaps = np.array([cell.scores[0] - cell.scores[1] for cell in cells.cells])
    drawn = random.integers(0, gaps.shape[1], (300, *gaps.shape))
    means = np.take_along_axis(gaps[None], drawn, axis=2).mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize(("spread", "of_runs_alone"), [(0.0, 1.0), (1.0, 0.6), (3.0, 0.25)])
@pytest.mark.parametrize("seeds", [5, 10])
def test_intervals_cover_the_truth_and_those_over_runs_alone_do_not(
    spread: float, of_runs_alone: float, seeds: int
) -> None:
    random, repetitions = np.random.default_rng([7, seeds, int(spread)]), 400
    held = held_by_runs = 0
    for _ in range(repetitions):
        cells = made_up(random, spread, seeds=seeds)
        _, low, high = interval(cells, number=300)
        held += low <= 0 <= high
        low, high = runs_alone(cells, random)
        held_by_runs += low <= 0 <= high

    assert held / repetitions >= 0.93
    assert held_by_runs / repetitions < of_runs_alone


def test_graphs_with_unequal_numbers_of_cells_are_covered_too() -> None:
    random, repetitions, held = np.random.default_rng(3), 400, 0
    for _ in range(repetitions):
        values = []
        for graph, count in enumerate((6, 6, 6, 2, 2, 2)):
            gaps = random.normal(0, 1) + random.normal(0, 1, (count, 5))
            values += [(f"g{graph}", np.array([row, np.zeros(5)])) for row in gaps]
        _, low, high = interval(cells_of(values), number=300)
        held += low <= 0 <= high

    assert held / repetitions >= 0.93


def test_the_standard_error_is_that_of_both_stages() -> None:
    """Its square, worked out: variance of graph means plus that of each graph's resampled runs."""
    cells = made_up(np.random.default_rng(0), 1.0)
    gaps = np.array([c.scores[0] - c.scores[1] for c in cells.cells]).reshape(6, 2, 5)
    graphs = gaps.mean(axis=(1, 2))
    runs = gaps.var(axis=2).sum(axis=1) / 5 / 2**2
    error = math.sqrt(graphs.var() / 6 + runs.mean() / 6)
    half = t.ppf(0.975, 5) * math.sqrt(6 / 5) * error

    found = interval(cells)

    assert found.mean == pytest.approx(gaps.mean())
    assert found.high - found.mean == pytest.approx(half, rel=0.02)
    assert found.mean - found.low == pytest.approx(half, rel=0.02)


def test_every_graph_counts_the_same_however_many_cells_it_has() -> None:
    counts, values = (4, 1, 1), np.array([0.03, -0.01, 0.02])
    cells = cells_of(
        [
            (f"g{graph}", np.array([[value, value], [0.0, 0.0]]))
            for graph, (count, value) in enumerate(zip(counts, values, strict=True))
            for _ in range(count)
        ]
    )

    found = interval(cells)

    assert found.mean == pytest.approx(values.mean())
    # the seeds of a graph agree here, so that only the draw of graphs is left to chance
    half = t.ppf(0.975, 2) * values.std(ddof=1) / math.sqrt(3)
    assert found.high - found.mean == pytest.approx(half, rel=0.03)


def test_the_same_cells_have_the_same_interval() -> None:
    cells = made_up(np.random.default_rng(5), 1.0)
    assert interval(cells) == interval(cells)


@pytest.mark.parametrize("graphs", [1, 2])
def test_few_graphs_have_no_interval(graphs: int) -> None:
    found = interval(made_up(np.random.default_rng(0), 1.0, graphs=graphs))

    assert not math.isnan(found.mean)
    assert np.isnan([found.low, found.high]).all()


def test_runs_that_are_all_alike_have_no_interval() -> None:
    same = cells_of([(f"g{graph}", np.array([[0.9, 0.9], [0.8, 0.8]])) for graph in range(5)])

    (found,) = versus(Resamples(same), [("a", "b")])

    assert found.difference.mean == pytest.approx(0.1)
    assert found.improvement.mean == 1.0
    assert np.isnan([*found.difference[1:], *found.improvement[1:]]).all()


def test_the_probability_of_improvement_is_mann_whitneys_over_cells() -> None:
    random = np.random.default_rng(2)
    values = [(f"g{n % 4}", np.round(random.random((2, 6)), 1)) for n in range(8)]  # with ties

    (found,) = versus(Resamples(cells_of(values)), [("a", "b")])

    chances = [mannwhitneyu(a, b).statistic / 36 for _, (a, b) in values]
    assert found.improvement.mean == pytest.approx(np.mean(chances))
    assert 0 <= found.improvement.low < found.improvement.mean < found.improvement.high <= 1


def test_the_interval_of_a_probability_holds_as_well() -> None:
    """Runs of a graph win with a probability of its own; over all graphs it is a half."""
    random, repetitions, held = np.random.default_rng(11), 300, 0
    for _ in range(repetitions):
        low, high = versus(Resamples(made_up(random, 1.0), 300), [("a", "b")])[0].improvement[1:]
        held += low <= 0.5 <= high

    assert held / repetitions >= 0.93
