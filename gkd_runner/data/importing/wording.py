"""Findings about an import in words, for the log and for the summary."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

from gkd_runner.data.importing.raw import Findings

SHOWN = 5  # nodes that a line names at most

logger = logging.getLogger("gkd_runner")


class Note(NamedTuple):
    """One fact: whether something was added, dropped, mended, ignored or kept, and what."""

    kind: str
    text: str


def notes(findings: Findings) -> list[Note]:
    """All ``findings`` in words, but for ``taken``."""
    return [
        *_added(findings),
        *_dropped(findings),
        *_mended(findings),
        *_ignored(findings),
        *_kept(findings),
    ]


def log_findings(findings: Findings, where: str) -> None:
    """Warn of all that was added, dropped, mended or ignored; ``where`` is the source."""
    for note in notes(findings):
        if note.kind != "kept":
            logger.warning("%s: %s %s", where, note.kind, note.text)


def _added(findings: Findings) -> Iterator[Note]:
    if findings.unlisted:
        named = ", ".join(findings.unlisted[:SHOWN]) + ", ..." * (len(findings.unlisted) > SHOWN)
        yield Note(
            "added",
            f"nodes that the table of nodes does not list: {len(findings.unlisted):,} ({named})",
        )


def _dropped(findings: Findings) -> Iterator[Note]:
    counts = {
        "self-loops (models add those that they need)": findings.self_loops,
        "edge weights that are not 1 (an edge is there or not)": findings.weighted,
        "places in splits of nodes without a label": findings.unsplit,
    }
    yield from (Note("dropped", f"{count:,} {what}") for what, count in counts.items() if count)


def _mended(findings: Findings) -> Iterator[Note]:
    if findings.repeated:
        yield Note("mended", f"{findings.repeated:,} edges listed again, merged")
    if findings.two_way and findings.one_way:
        yield Note(
            "mended",
            f"directions: {findings.two_way:,} edges are listed in both and {findings.one_way:,} in"
            " one; all edges are undirected now",
        )
    if findings.repeated_features:
        yield Note(
            "mended", f"{findings.repeated_features:,} features of nodes listed again, merged"
        )
    if findings.renumbered:
        yield Note(
            "mended",
            f"feature ids with wide gaps: they became columns 0 to"
            f" {findings.renumbered - 1:,} in their order",
        )
    if findings.shared_parts:
        yield Note("mended", f"{findings.shared_parts} parts given once, which serve every split")


def _ignored(findings: Findings) -> Iterator[Note]:
    if findings.unused:
        yield Note("ignored", ", ".join(findings.unused))


def _kept(findings: Findings) -> Iterator[Note]:
    counts = {
        "nodes without a label": findings.unlabelled,
        "nodes without features (all zero)": findings.featureless,
        "nodes without an edge": findings.isolated,
    }
    yield from (Note("kept", f"{count:,} {what}") for what, count in counts.items() if count)
