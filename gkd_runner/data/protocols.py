"""Protocols: how a graph is cut and split, and which nodes the inductive setting hides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse.csgraph import connected_components

from gkd_runner.common.errors import DataError
from gkd_runner.common.seeding import generator
from gkd_runner.data.graph import UNKNOWN_LABEL, GraphData, IntArray, Split
from gkd_runner.data.task import Replica, Task
from gkd_runner.options.metrics import ANY_CLASSES, METRICS
from gkd_runner.options.schema import Config, ProtocolConfig


def cut(graph: GraphData, protocol: ProtocolConfig, family: str) -> GraphData:
    """The part of ``graph`` that the protocol uses: the whole graph or its largest component."""
    if family not in protocol.largest_component:
        return graph
    _, component = connected_components(graph.adjacency, directed=False)
    largest = np.bincount(component).argmax()
    return graph.subgraph(np.flatnonzero(component == largest))


def uses_own_splits(graph: GraphData, config: Config) -> bool:
    """True if the protocol takes the graph's stored splits and draws none."""
    return bool(graph.splits) and config.dataset.family in config.protocol.own_split


def replicas_of(graph: GraphData, config: Config) -> list[Replica]:
    """Every split with every seed of ``config``; ``graph`` is what ``cut`` returned.

    Raises ``DataError`` for a split that the graph does not have.
    """
    stored = len(graph.splits) if uses_own_splits(graph, config) else 1
    wanted = range(stored) if config.splits is None else config.splits
    if absent := [split for split in wanted if split >= stored]:
        has = f"has {stored} of its own" if stored > 1 else "has no several splits of its own"
        raise DataError(
            f"splits={list(wanted)}: {graph.name} {has}, so that there is no split {absent[0]};"
            " they are numbered from 0, and splits=null takes all"
        )
    return [Replica(seed, split) for split in wanted for seed in config.seeds]


def make_task(graph: GraphData, config: Config, seed: int, number: int = 0) -> Task:
    """The task of split ``number`` and ``seed``; ``graph`` is what ``cut`` returned.

    ``seed`` draws the split, unless the graph's own are used, and the hidden nodes.
    """
    protocol, family = config.protocol, config.dataset.family
    own = uses_own_splits(graph, config)
    split = graph.splits[number] if own else draw_split(graph, protocol, family, seed)
    kept = keep_labels(split.train, graph.labels, protocol, seed)
    learnt = Split(kept, split.val, split.test)
    everything = np.arange(graph.num_nodes)
    _check_selection(config, graph, split)
    if config.setting.name == "transductive":
        return Task(seed, graph, learnt, everything, np.empty(0, dtype=np.int64), number)
    hidden = hidden_nodes(split.test, protocol, family, seed)
    seen = everything
    if not protocol.observe_unsplit:
        seen = np.sort(np.concatenate([split.train, split.val, split.test]))
    observed = np.setdiff1d(seen, hidden, assume_unique=True)
    return Task(seed, graph, learnt, observed, hidden, number)


def _check_selection(config: Config, graph: GraphData, split: Split) -> None:
    """Raise ``DataError`` where the validation nodes do not have what selects an epoch."""
    metric = config.training.select_by
    if not METRICS[metric].two_classes:
        return
    if graph.num_classes != 2:
        raise DataError(
            f"training.select_by={metric} needs two classes, and {graph.name} has"
            f" {graph.num_classes}; use training.select_by={ANY_CLASSES}"
        )
    if len(classes := np.unique(graph.labels[split.val])) < 2:
        raise DataError(
            f"training.select_by={metric}: all {len(split.val)} validation nodes of {graph.name}"
            f" are of class {graph.classes[classes[0]]}; use training.select_by={ANY_CLASSES}, or"
            " another split"
        )


def draw_split(graph: GraphData, protocol: ProtocolConfig, family: str, seed: int) -> Split:
    """Draw a split for ``seed``.

    Raises ``DataError`` when a class or the graph has too few labelled nodes.
    """
    if lacking := shortage(graph, protocol, family):
        raise DataError(f"{graph.name}: {lacking.reason}; {lacking.remedy}")
    rng = generator(seed, "split")
    order = rng.permutation(graph.num_nodes)
    order = order[graph.labels[order] != UNKNOWN_LABEL]
    need = protocol.train_per_class + (protocol.val_per_class or 0)
    rank = _rank_within_class(graph.labels[order])
    train = order[rank < protocol.train_per_class]
    if protocol.val_per_class is not None:
        val = order[(rank >= protocol.train_per_class) & (rank < need)]
        rest = order[rank >= need]
    else:
        rest = order[rank >= protocol.train_per_class]
        val, rest = np.split(rest, [protocol.val_size or 0])
    test = rest if protocol.test_size is None else rest[: protocol.test_size]
    return Split(np.sort(train), np.sort(val), np.sort(test))


class Shortage(NamedTuple):
    """Too few labelled nodes for a drawn split: where they are lacking, and a way out."""

    reason: str
    remedy: str


def shortage(graph: GraphData, protocol: ProtocolConfig, family: str) -> Shortage | None:
    """The shortage of labelled nodes in a class or in the graph, which ``cut`` returned."""
    return _of_a_class(graph, protocol, family) or _of_the_graph(graph, protocol, family)


def keep_labels(train: IntArray, labels: IntArray, protocol: ProtocolConfig, seed: int) -> IntArray:
    """Draw for ``seed`` the training nodes that keep their labels, a fraction of each class.

    The nodes of a smaller fraction are among those of a larger one. Returns sorted ids.
    """
    if protocol.label_fraction == 1:
        return train
    order = generator(seed, "kept labels").permutation(train)
    kept = np.maximum(1, np.rint(protocol.label_fraction * np.bincount(labels[train])))
    return np.sort(order[_rank_within_class(labels[order]) < kept[labels[order]]])


def hidden_nodes(test: IntArray, protocol: ProtocolConfig, family: str, seed: int) -> IntArray:
    """Draw for ``seed`` the test nodes that the inductive setting hides. Returns sorted ids."""
    planetoid = family == "planetoid"
    fraction = protocol.hidden_fraction_planetoid if planetoid else protocol.hidden_fraction
    count = round(fraction * len(test))
    if count == 0:
        raise DataError(
            f"hiding {fraction:g} of {len(test)} test nodes hides none; raise"
            f" protocol.hidden_fraction{'_planetoid' if planetoid else ''}"
        )
    return np.sort(generator(seed, "hidden nodes").permutation(test)[:count])


def _rank_within_class(labels: IntArray) -> IntArray:
    """Count, for each position, the earlier positions with the same label."""
    by_class = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels))[:-1]])
    rank = np.empty(len(labels), dtype=np.int64)
    rank[by_class] = np.arange(len(labels)) - starts[labels[by_class]]
    return rank


def _of_a_class(graph: GraphData, protocol: ProtocolConfig, family: str) -> Shortage | None:
    need = protocol.train_per_class + (protocol.val_per_class or 0)
    sizes = np.bincount(graph.labels[graph.labels != UNKNOWN_LABEL])
    smallest = int(sizes.argmin())
    if sizes[smallest] >= need:
        return None
    parts = "training" if protocol.val_per_class is None else "training and validation"
    return Shortage(
        f"class {graph.classes[smallest]} has {sizes[smallest]} labelled nodes, but protocol"
        f" {protocol.name} draws {need} per class for {parts}",
        f"lower {_per_class_options(protocol)}{_own_split_hint(protocol, family)}",
    )


def _of_the_graph(graph: GraphData, protocol: ProtocolConfig, family: str) -> Shortage | None:
    """All parts together do not fit into the labelled nodes."""
    labelled = int((graph.labels != UNKNOWN_LABEL).sum())
    per_class = protocol.train_per_class + (protocol.val_per_class or 0)
    drawn = per_class * graph.num_classes
    val, test = protocol.val_size, protocol.test_size or 1
    need = drawn + (val or 0) + test
    if labelled >= need:
        return None
    parts = [f"{per_class} x {graph.num_classes} classes", *([f"{val} val"] if val else [])]
    parts.append(f"{test} test" if protocol.test_size else "at least 1 test")
    return Shortage(
        f"protocol {protocol.name} needs {' + '.join(parts)} = {need} labelled nodes, but the"
        f" graph has {labelled}",
        f"{_ways_out(protocol, labelled - drawn)}{_own_split_hint(protocol, family)}",
    )


def _ways_out(protocol: ProtocolConfig, spare: int) -> str:
    """Name the options to lower when the parts do not fit, and a protocol that may fit.

    ``spare`` is the number of nodes left after those drawn per class.
    """
    fixed = [name for name in ("val_size", "test_size") if getattr(protocol, name) is not None]
    options = [f"protocol.{name}" for name in fixed]
    least = 1 if protocol.val_size is None else 2  # one node for each part that remains
    other = ""
    if spare < least or not fixed:
        options.insert(0, _per_class_options(protocol))
    elif protocol.val_size is not None and protocol.name != "krd":
        other = ", use protocol=krd, whose sizes follow the graph"
    parts = "test" if protocol.val_size is None else "val and test"
    return f"lower {' / '.join(options)} ({spare} nodes are left for {parts}){other}"


def _per_class_options(protocol: ProtocolConfig) -> str:
    also = "" if protocol.val_per_class is None else " / protocol.val_per_class"
    return f"protocol.train_per_class{also}"


def _own_split_hint(protocol: ProtocolConfig, family: str) -> str:
    return ", or give the file its own split" if family in protocol.own_split else ""
