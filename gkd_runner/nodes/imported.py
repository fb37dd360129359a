"""The summary of an imported graph, and the command to go on with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table
from scipy.sparse.csgraph import connected_components

from gkd_runner.data.graph import UNKNOWN_LABEL, GraphData
from gkd_runner.data.importing.raw import Findings
from gkd_runner.data.importing.wording import notes
from gkd_runner.data.protocols import cut, shortage
from gkd_runner.nodes.measures import edge_homophily
from gkd_runner.options.schema import ProtocolConfig

FAMILY = "custom"
SHOWN = 10  # classes that the summary lists at most
RARE = 5  # a class with fewer nodes may be a word for a missing label
SMALL_SHARE = 0.3
"""Share of the smallest class for training, and for validation, where no protocol fits."""


@dataclass(frozen=True)
class Portrait:
    """The measures of a graph that its summary shows.

    ``values`` are the smallest and the largest feature. ``chance`` is the homophily that edges
    between random labelled nodes would have. ``misfits`` has a protocol's reason not to fit, or
    ``None`` if it fits.
    """

    homophily: float
    chance: float
    components: int
    largest: int
    zeros: float
    values: tuple[float, float]
    class_sizes: tuple[int, ...]
    misfits: dict[str, str | None]


def portrait(graph: GraphData, protocols: Sequence[ProtocolConfig]) -> Portrait:
    """Measure ``graph``, and try which of ``protocols`` can split it."""
    count, component = connected_components(graph.adjacency, directed=False)
    sizes = np.bincount(graph.labels[graph.labels != UNKNOWN_LABEL], minlength=graph.num_classes)
    stored = graph.features if isinstance(graph.features, np.ndarray) else graph.features.data
    cells = graph.num_nodes * graph.num_features
    return Portrait(
        homophily=edge_homophily(graph),
        chance=float(((sizes / sizes.sum()) ** 2).sum()),
        components=count,
        largest=int(np.bincount(component).max()),
        zeros=1 - np.count_nonzero(stored) / cells,
        class_sizes=tuple(sizes.tolist()),
        values=(float(graph.features.min()), float(graph.features.max())),
        misfits={protocol.name: _misfit(graph, protocol) for protocol in protocols},
    )


def summary(graph: GraphData, findings: Findings, seen: Portrait) -> Table:
    """The graph and its import in a few lines."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in _lines(graph, findings, seen):
        grid.add_row(name, text)
    return grid


def next_command(graph: GraphData, path: Path, seen: Portrait, default: str) -> str:
    """The ``gkd-train`` line for the written graph; ``default`` is the default protocol."""
    options = [f"dataset={path}"]
    options += [] if path.stem == graph.name else [f"dataset.name={graph.name}"]
    fitting = [name for name, reason in seen.misfits.items() if reason is None]
    if not fitting:
        few = max(1, int(SMALL_SHARE * min(seen.class_sizes)))
        lower = [f"protocol.{part}_per_class={few}" for part in ("train", "val")]
        options += ["protocol=krd", *lower]
    elif default not in fitting:
        options.append(f"protocol={fitting[-1] if 'krd' not in fitting else 'krd'}")
    return " ".join(["gkd-train", *map(_quoted, options)])


def _misfit(graph: GraphData, protocol: ProtocolConfig) -> str | None:
    if graph.splits and FAMILY in protocol.own_split:
        return None
    lacking = shortage(cut(graph, protocol, FAMILY), protocol, FAMILY)
    return lacking.reason if lacking else None


def _lines(graph: GraphData, findings: Findings, seen: Portrait) -> list[tuple[str, str]]:
    degree = graph.num_edges / graph.num_nodes
    parts = f"{seen.components:,} component{'s' * (seen.components > 1)}"
    chance = f"{seen.chance:.2f} by chance"
    return [
        ("graph", graph.name),
        ("read", "; ".join(f"{role} from {source}" for role, source in findings.taken.items())),
        ("nodes", f"{graph.num_nodes:,} in {parts}; the largest has {seen.largest:,}"),
        ("edges", f"{graph.num_edges // 2:,} undirected; {degree:.1f} neighbours per node"),
        ("classes", _classes(graph, seen)),
        ("homophily", f"{seen.homophily:.2f} of the edges stay inside a class ({chance})"),
        ("features", _features(graph, seen)),
        ("splits", _splits(graph)),
        *((note.kind, note.text) for note in notes(findings)),
        *(("check", text) for text in _rare_classes(graph, seen)),
        ("protocols", _protocols(graph, seen)),
    ]


def _features(graph: GraphData, seen: Portrait) -> str:
    low, high = (f"{value:,.6g}" for value in seen.values)
    kind = "dense" if isinstance(graph.features, np.ndarray) else "sparse"
    columns = f"{graph.num_features:,} columns, {100 * seen.zeros:.1f}% zeros, stored {kind}"
    return f"{columns}; values {low} to {high}"


def _classes(graph: GraphData, seen: Portrait) -> str:
    pairs = zip(graph.classes, seen.class_sizes, strict=False)
    each = [f"{name} ({size:,})" for name, size in pairs]
    more = f", and {len(each) - SHOWN} more" if each[SHOWN:] else ""
    return f"{graph.num_classes}: {', '.join(each[:SHOWN])}{more}"


def _rare_classes(graph: GraphData, seen: Portrait) -> Iterator[str]:
    for name, size in zip(graph.classes, seen.class_sizes, strict=False):
        if size < RARE:
            yield (
                f"class {name!r} has {size} {'node' if size == 1 else 'nodes'}; if it means that"
                " the label is missing, leave these cells empty"
            )


def _splits(graph: GraphData) -> str:
    if not graph.splits:
        return "none of its own; a protocol draws one per seed"
    first = graph.splits[0]
    parts = f"{len(first.train):,} train, {len(first.val):,} val, {len(first.test):,} test"
    number = f"{len(graph.splits)} of its own, the first with" if graph.splits[1:] else "its own:"
    return f"{number} {parts} nodes"


def _protocols(graph: GraphData, seen: Portrait) -> str:
    if graph.splits:
        return f"{', '.join(seen.misfits)}: each uses the graph's own splits"
    fitting = [name for name, reason in seen.misfits.items() if reason is None]
    others = [f"{name} does not: {why}" for name, why in seen.misfits.items() if why is not None]
    return "; ".join([f"{', '.join(fitting) or 'none'} can split the graph", *others])


def _quoted(option: str) -> str:
    """An option that Hydra and the shell read as it is."""
    key, _, value = option.partition("=")
    plain = all(character.isalnum() or character in "._-/" for character in value)
    return option if plain else shlex.quote(f'{key}="{value}"')
