"""Synthetic graphs of any size with communities, hubs and bag-of-words features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from gkd_runner.common.arrays import sorted_unique
from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import GraphData, IntArray

_Weights = npt.NDArray[np.float64]

_TOP_UPS = 6  # rounds of drawing edges; the later ones replace duplicates and self-loops


def synthetic(
    nodes: int,
    *,
    classes: int = 7,
    features: int = 700,
    mean_degree: float = 8.0,
    homophily: float = 0.8,
    degree_exponent: float = 2.5,
    words_per_node: int = 20,
    feature_signal: float = 0.1,
    seed: int = 0,
    name: str = "synthetic",
) -> GraphData:
    """Draw a degree-corrected stochastic block model (Karrer and Newman, 2011) with word counts.

    Class sizes differ by at most one node. The graph has ``nodes * mean_degree / 2``
    undirected edges (slightly fewer in a dense graph); a share ``homophily`` of them joins nodes
    of one class. Degrees follow a power law with ``degree_exponent`` (above 2; ``inf`` makes
    all expected degrees equal). Features are counts (float32 CSR) of ``words_per_node`` words per
    node, each drawn with probability ``feature_signal`` from the words of the node's class
    (``features // classes`` of them) and otherwise from all words, both by Zipf's law. With
    the defaults, a node's own words say little about its class and its neighbours' words say
    much more. The graph has no split: use a protocol that draws one. Equal arguments give equal
    graphs, and the edges do not depend on the arguments of the features.

    Raises ``DataError``, which lists every argument out of range.
    """
    _check(locals())
    label_rng, degree_rng, edge_rng, word_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    labels = label_rng.permutation(np.arange(nodes, dtype=np.int64) % classes)
    weights = _degree_weights(nodes, degree_exponent, degree_rng)
    draw = _edge_sampler(labels, weights, homophily, edge_rng)
    adjacency = _adjacency(draw, nodes, round(nodes * mean_degree / 2))
    words = _words(labels, classes, features, words_per_node, feature_signal, word_rng)
    return GraphData(name, adjacency, words, labels)


def _check(given: dict[str, float]) -> None:
    smallest_class = given["nodes"] // max(1, given["classes"])
    rules = {
        "nodes": (given["nodes"] >= 2, "at least 2"),
        "classes": (2 <= given["classes"] <= given["nodes"], "2 to the number of nodes"),
        "features": (given["features"] >= given["classes"], "at least one word per class"),
        "mean_degree": (
            0 < given["mean_degree"] <= (smallest_class - 1) / 2,
            f"above 0, at most {(smallest_class - 1) / 2:g}, half of what one class can hold",
        ),
        "homophily": (0 <= given["homophily"] <= 1, "0 to 1"),
        "degree_exponent": (given["degree_exponent"] > 2, "above 2, or inf"),
        "words_per_node": (given["words_per_node"] >= 1, "at least 1"),
        "feature_signal": (0 <= given["feature_signal"] <= 1, "0 to 1"),
        "seed": (given["seed"] >= 0, "0 or more"),
    }
    mistakes = [
        f"  - {key}={given[key]!r}: allowed is {allowed}"
        for key, (fine, allowed) in rules.items()
        if not fine
    ]
    if mistakes:
        raise DataError("\n".join(["cannot make a synthetic graph:", *mistakes]))


def _degree_weights(nodes: int, exponent: float, rng: np.random.Generator) -> _Weights:
    """Draw Pareto weights (the smallest is 1), capped at ``sqrt(nodes)``."""
    weights = (1.0 - rng.random(nodes)) ** (-1.0 / (exponent - 1.0))
    return np.minimum(weights, np.sqrt(nodes))


def _edge_sampler(
    labels: IntArray, weights: _Weights, homophily: float, rng: np.random.Generator
) -> Callable[[int], tuple[IntArray, IntArray]]:
    """Return a function that draws ``count`` directed edges.

    Both ends are drawn by weight, the second inside or outside the class of the first.
    """
    order = np.argsort(labels, kind="stable")
    stops = np.cumsum(weights[order])
    total = stops[-1]
    last = np.cumsum(np.bincount(labels)) - 1
    class_stop = stops[last]
    class_start = np.concatenate([[0.0], class_stop[:-1]])

    def pick(positions: _Weights) -> IntArray:
        places = np.searchsorted(stops, positions, side="right")
        return order[np.minimum(places, len(order) - 1)]

    def draw(count: int) -> tuple[IntArray, IntArray]:
        source = pick(rng.random(count) * total)
        start, stop = class_start[labels[source]], class_stop[labels[source]]
        same = rng.random(count) < homophily
        inside = start + rng.random(count) * (stop - start)
        # Outside the class: the weights form a circle, and the draw starts where the class ends.
        outside = (stop + rng.random(count) * (total - (stop - start))) % total
        return source, pick(np.where(same, inside, outside))

    return draw


def _adjacency(
    draw: Callable[[int], tuple[IntArray, IntArray]], nodes: int, edges: int
) -> sp.csr_array:
    keys = np.empty(0, dtype=np.int64)
    for _ in range(_TOP_UPS):
        source, target = draw(edges - len(keys))
        proper = source != target
        low, high = np.minimum(source, target)[proper], np.maximum(source, target)[proper]
        drawn = sorted_unique(low * nodes + high)
        places = np.searchsorted(keys, drawn)
        new = np.searchsorted(keys, drawn, side="right") == places
        keys = np.insert(keys, places[new], drawn[new])
        if len(keys) == edges:
            break
    low, high = (ends.astype(np.int32) for ends in np.divmod(keys, nodes))
    rows, columns = np.concatenate([low, high]), np.concatenate([high, low])
    ones = np.ones(len(rows), dtype=np.float32)
    return sp.csr_array((ones, (rows, columns)), shape=(nodes, nodes))


def _words(
    labels: IntArray,
    classes: int,
    features: int,
    per_node: int,
    signal: float,
    rng: np.random.Generator,
) -> sp.csr_array:
    """Count the words of each node, ``[n, features]``; class c owns words c, c + C, c + 2C, ..."""
    nodes = len(labels)
    count = nodes * per_node
    topic = _zipf(features // classes, count, rng) * classes + np.repeat(labels, per_node)
    background = rng.permutation(features)[_zipf(features, count, rng)]
    words = np.where(rng.random(count) < signal, topic, background)
    width = np.int32 if count < np.iinfo(np.int32).max else np.int64
    starts = np.arange(0, count + 1, per_node, dtype=width)
    ones = np.ones(count, dtype=np.float32)
    matrix = sp.csr_array((ones, words.astype(width), starts), shape=(nodes, features))
    matrix.sum_duplicates()
    return matrix


def _zipf(words: int, count: int, rng: np.random.Generator) -> IntArray:
    """Draw ``count`` ranks in 0..words-1, rank r with probability proportional to 1 / (r + 1)."""
    stops = np.cumsum(1.0 / np.arange(1, words + 1))
    return np.searchsorted(stops / stops[-1], rng.random(count), side="right")
