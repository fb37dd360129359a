"""Protocols: how a graph is cut and split, and what the inductive setting hides."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import connected_components

from gkd_runner.config.schema import ProtocolConfig
from gkd_runner.data.graph import UNKNOWN_LABEL, GraphData, IntArray, Split
from gkd_runner.errors import DataError
from gkd_runner.seeding import Purpose, generator


def cut(graph: GraphData, protocol: ProtocolConfig, family: str) -> GraphData:
    """The part of ``graph`` that the protocol works on: all of it, or its largest component."""
    if family not in protocol.largest_component:
        return graph
    _, component = connected_components(graph.adjacency, directed=False)
    largest = np.bincount(component).argmax()
    return graph.subgraph(np.flatnonzero(component == largest))


def split(graph: GraphData, protocol: ProtocolConfig, family: str, seed: int) -> Split:
    """The stored split where the protocol uses it, else one drawn for ``seed``.

    Raises ``DataError`` when a class or the graph has too few labelled nodes.
    """
    if graph.split is not None and family in protocol.own_split:
        return graph.split
    rng = generator(seed, Purpose.SPLIT)
    order = rng.permutation(graph.num_nodes)
    order = order[graph.labels[order] != UNKNOWN_LABEL]
    need = protocol.train_per_class + (protocol.val_per_class or 0)
    _check_classes(graph, protocol, need)
    rank = _rank_within_class(graph.labels[order])
    train = order[rank < protocol.train_per_class]
    if protocol.val_per_class is not None:
        val = order[(rank >= protocol.train_per_class) & (rank < need)]
        rest = order[rank >= need]
    else:
        rest = order[rank >= protocol.train_per_class]
        val, rest = np.split(rest, [protocol.val_size or 0])
    test = rest if protocol.test_size is None else rest[: protocol.test_size]
    _check_sizes(graph, protocol, val, test)
    return Split(np.sort(train), np.sort(val), np.sort(test))


def hidden_nodes(test: IntArray, protocol: ProtocolConfig, family: str, seed: int) -> IntArray:
    """The test nodes that the inductive setting hides, drawn for ``seed``; sorted ids."""
    planetoid = family == "planetoid"
    fraction = protocol.hidden_fraction_planetoid if planetoid else protocol.hidden_fraction
    count = round(fraction * len(test))
    if count == 0:
        raise DataError(
            f"hiding {fraction:g} of {len(test)} test nodes hides none; raise"
            f" protocol.hidden_fraction{'_planetoid' if planetoid else ''}"
        )
    return np.sort(generator(seed, Purpose.HIDDEN).permutation(test)[:count])


def _rank_within_class(labels: IntArray) -> IntArray:
    """For each position, how many earlier positions carry the same label."""
    by_class = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels))[:-1]])
    rank = np.empty(len(labels), dtype=np.int64)
    rank[by_class] = np.arange(len(labels)) - starts[labels[by_class]]
    return rank


def _check_classes(graph: GraphData, protocol: ProtocolConfig, need: int) -> None:
    sizes = np.bincount(graph.labels[graph.labels != UNKNOWN_LABEL])
    smallest = int(sizes.argmin())
    if sizes[smallest] < need:
        raise DataError(
            f"{graph.name}: class {smallest} has {sizes[smallest]} labelled nodes, but protocol"
            f" {protocol.name} draws {need} per class for training and validation; lower"
            " protocol.train_per_class or protocol.val_per_class, or give the file its own split"
        )


def _check_sizes(graph: GraphData, protocol: ProtocolConfig, val: IntArray, test: IntArray) -> None:
    for part, ids, wanted in (
        ("val", val, protocol.val_size),
        ("test", test, protocol.test_size),
    ):
        if len(ids) == 0 or (wanted is not None and len(ids) < wanted):
            raise DataError(
                f"{graph.name}: {len(ids)} nodes are left for {part}, but protocol"
                f" {protocol.name} wants {wanted or 'at least one'}; lower protocol.{part}_size"
                " or use another protocol"
            )
