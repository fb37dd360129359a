"""A graph as any source describes it, before it is brought into the one canonical form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from gkd_runner.common.lazy import sp
from gkd_runner.data.graph import GraphData, Ids, IntArray, Split

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Findings:
    """The meaning that a source's layout was taken to have, and all that was mended or dropped.

    ``taken`` maps a role ("labels", "edges", ...) to the column or array that fills it.
    ``unused`` names columns and arrays that nothing was read from, ``unlisted`` the nodes that the
    list of edges or the features name and the table of nodes does not. All other fields are counts:

    - of listed edges: ``self_loops`` (dropped), ``repeated`` (listed again in the same direction,
      merged), ``two_way`` and ``one_way`` pairs of nodes (listed in both directions or in one),
      ``weighted`` (with a weight other than 1, which is dropped);
    - of nodes, all kept: ``featureless``, ``unlabelled``, ``isolated`` (without an edge);
    - of features: ``repeated_features`` (a node's feature that is listed again, merged),
      ``renumbered`` (columns that are left of widely scattered feature ids; 0 if none);
    - of splits: ``unsplit`` (nodes taken out of splits as they have no label), ``shared_parts``
      (masks that serve all splits as the source has only one of them).
    """

    taken: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    self_loops: int = 0
    repeated: int = 0
    two_way: int = 0
    one_way: int = 0
    weighted: int = 0
    featureless: int = 0
    unlabelled: int = 0
    isolated: int = 0
    repeated_features: int = 0
    renumbered: int = 0
    unsplit: int = 0
    shared_parts: int = 0


@dataclass(frozen=True, eq=False)
class RawGraph:
    """A graph as its source describes it, with nodes counted from 0 to n - 1.

    ``edges`` is ``[m, 2]``: in any direction, with repetitions and self-loops if the source has
    them. ``features`` is ``[n, d]``, dense or sparse. ``labels`` ``[n]`` hold any values; missing
    ones are NaN, None, an empty text or -1. ``class_names`` are those of integer labels,
    ``feature_names`` those of all columns of ``features``, or none. ``where`` is the source in a
    few words, with which messages begin.
    """

    where: str
    edges: IntArray
    features: Array | sp.csr_array
    labels: Array
    splits: tuple[Split, ...] = ()
    node_ids: Ids | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    findings: Findings = field(default_factory=Findings)


@dataclass(frozen=True, eq=False)
class Imported:
    """A graph in canonical form, and the findings about its import."""

    graph: GraphData
    findings: Findings
