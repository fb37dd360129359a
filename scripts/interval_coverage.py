"""How often 95% intervals of a mean difference over graphs hold, by the way they are made.

Draws made-up differences of two equally good methods, and prints a Markdown table: a row per kind
of interval, a column per standard deviation between graphs (1 between seeds), coverage in % and
median width. The table in ``gkd_runner/results/bootstrap.py`` comes from
``python scripts/interval_coverage.py --repetitions 1000``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, t

from gkd_runner.results.bootstrap import Resamples
from gkd_runner.results.cells import Cell, Cells

CASES = (("normal", 0.0), ("normal", 1.0), ("normal", 3.0), ("exponential", 1.0))
Array = np.ndarray[Any, Any]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=6)
    parser.add_argument("--cells", type=int, default=2, help="cells of each graph")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=1000)
    asked = parser.parse_args()
    shape = (asked.graphs, asked.cells, asked.seeds)
    columns = {
        f"{spread:g} {kind}": _measure(kind, spread, shape, asked.repetitions, asked.resamples)
        for kind, spread in CASES
    }
    print(pd.DataFrame(columns).to_markdown())


def _measure(
    kind: str, spread: float, shape: tuple[int, ...], repetitions: int, resamples: int
) -> dict[str, str]:
    random = np.random.default_rng(0)
    rows = []
    for _ in range(repetitions):
        draw = (
            random.normal if kind == "normal" else lambda *_: random.exponential(size=shape[0]) - 1
        )
        graphs = spread * np.asarray(draw(0, 1, shape[0]))
        gaps = graphs[:, None, None] + random.normal(0, 1, shape)
        rows += [
            {"interval": name, "held": low <= 0 <= high, "width": high - low}
            for name, (low, high) in _intervals(gaps, random, resamples)
        ]
    by_interval = pd.DataFrame(rows).groupby("interval", sort=False)
    shares, widths = by_interval["held"].mean(), by_interval["width"].median()
    return {name: f"{100 * shares[name]:.0f}% ({widths[name]:.2f})" for name in shares.index}


def _intervals(
    gaps: Array, random: np.random.Generator, resamples: int
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Each kind of interval of differences ``[graphs, cells, seeds]``."""
    graphs, cells, seeds = gaps.shape
    made = Cells(("a", "b"), tuple(_cells(gaps)), 0, {})
    (ours,) = Resamples(made, resamples).estimates(lambda cell, shares: shares @ cell.scores.T)
    yield "this one", ours[1:]
    drawn = random.integers(0, graphs, (resamples, graphs))
    of_runs = random.integers(0, seeds, (resamples, graphs, cells, seeds))
    resampled = np.take_along_axis(gaps[drawn], of_runs, axis=3).mean(axis=(2, 3))
    yield "percentiles over graphs and runs", _ends(resampled.mean(axis=1))
    mean = gaps.mean(axis=(1, 2))
    bca = bootstrap((mean,), np.mean, n_resamples=resamples, method="BCa", rng=random)
    yield "BCa over graphs alone", tuple(bca.confidence_interval)
    yield "percentiles over graphs alone", _ends(mean[drawn].mean(axis=1))
    error = mean.std(ddof=1) / np.sqrt(graphs)
    scores = (
        (resampled.mean(axis=1) - mean.mean()) * np.sqrt(graphs) / resampled.std(axis=1, ddof=1)
    )
    low, high = _ends(scores)
    yield (
        "bootstrap-t over graphs and runs",
        (mean.mean() - high * error, mean.mean() - low * error),
    )
    half = t.ppf(0.975, graphs - 1) * error
    yield "t of graph means, no resampling", (mean.mean() - half, mean.mean() + half)
    alone = np.take_along_axis(np.broadcast_to(gaps, of_runs.shape), of_runs, axis=3)
    yield "percentiles over runs alone", _ends(alone.mean(axis=(1, 2, 3)))


def _cells(gaps: Array) -> Iterator[Cell]:
    for graph, of_graph in enumerate(gaps):
        for number, values in enumerate(of_graph):
            yield Cell(f"g{graph}", "transductive", f"t{number}", values[None])


def _ends(means: Array) -> tuple[float, float]:
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
