"""Facts about an import in words, for the log and for the summary."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

from gkd_runner.data.importing.raw import Facts

SHOWN = 5  # nodes that a line names at most

logger = logging.getLogger("gkd_runner")


class Note(NamedTuple):
    """One fact: whether something was added, dropped, mended, ignored or kept, and what."""

    kind: str
    text: str


def notes(facts: Facts) -> list[Note]:
    """What ``facts`` say, but for what was taken."""
    return [*_added(facts), *_dropped(facts), *_mended(facts), *_ignored(facts), *_kept(facts)]


def log_facts(facts: Facts, where: str) -> None:
    """Warn of all that was added, dropped, mended or ignored; ``where`` is the source."""
    for note in notes(facts):
        if note.kind != "kept":
            logger.warning("%s: %s %s", where, note.kind, note.text)


def _added(facts: Facts) -> Iterator[Note]:
    if facts.unlisted:
        named = ", ".join(facts.unlisted[:SHOWN]) + ", ..." * (len(facts.unlisted) > SHOWN)
        yield Note(
            "added",
            f"nodes that the table of nodes does not list: {len(facts.unlisted):,} ({named})",
        )


def _dropped(facts: Facts) -> Iterator[Note]:
    counts = {
        "self-loops (models add those that they need)": facts.self_loops,
        "edge weights that are not 1 (an edge is there or not)": facts.weighted,
        "places in splits of nodes without a label": facts.unsplit,
    }
    yield from (Note("dropped", f"{count:,} {what}") for what, count in counts.items() if count)


def _mended(facts: Facts) -> Iterator[Note]:
    if facts.repeated:
        yield Note("mended", f"{facts.repeated:,} edges listed again, merged")
    if facts.two_way and facts.one_way:
        yield Note(
            "mended",
            f"directions: {facts.two_way:,} edges are listed in both and {facts.one_way:,} in one;"
            " all edges are undirected now",
        )
    if facts.repeated_features:
        yield Note("mended", f"{facts.repeated_features:,} features of nodes listed again, merged")
    if facts.renumbered:
        yield Note(
            "mended",
            f"feature ids with wide gaps: they became columns 0 to"
            f" {facts.renumbered - 1:,} in their order",
        )
    if facts.shared_parts:
        yield Note("mended", f"{facts.shared_parts} parts given once, which serve every split")


def _ignored(facts: Facts) -> Iterator[Note]:
    if facts.unused:
        yield Note("ignored", ", ".join(facts.unused))


def _kept(facts: Facts) -> Iterator[Note]:
    counts = {
        "nodes without a label": facts.unlabelled,
        "nodes without features (all zero)": facts.featureless,
        "nodes without an edge": facts.isolated,
    }
    yield from (Note("kept", f"{count:,} {what}") for what, count in counts.items() if count)
