"""The columns of a table of new nodes: which one has the ids, and which are features."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gkd_runner.data.importing.names import FEATURES, IDS, LABELS, VALUES
from gkd_runner.predict.folder import PredictError

logger = logging.getLogger("gkd_runner")


@dataclass(frozen=True)
class Width:
    """The features that a student reads: their number, and their names if they have any."""

    columns: int
    names: tuple[str, ...] = ()


def find_columns(path: Path, header: Sequence[str], width: Width) -> tuple[int, list[int]]:
    """The place of the ids, and the places of the features in the order of the training graph.

    Without names the features stand in that order, and a column of labels between them is left out,
    which the log says. Raises ``PredictError`` for a header that does not fit.
    """
    lowered = [name.lower() for name in header]
    _refuse_long(path, lowered, width)
    ids = [lowered.index(name) for name in IDS if name in lowered]
    place = next((number for number in ids if header[number] not in width.names), 0)
    rest = [number for number in range(len(header)) if number != place]
    if not width.names:
        return place, _without_labels(path, header, rest, width.columns)
    if header[place] in width.names:
        raise PredictError(
            f"{path}: the first column, {header[place]}, is a feature; put the ids of the nodes"
            " before it, in a column called id"
        )
    order = by_name(str(path), [header[number] for number in rest], width)
    return place, [rest[number] for number in order]


def by_name(where: str, found: Sequence[str], width: Width) -> list[int]:
    """The place in ``found`` of each of the student's features.

    Raises ``PredictError`` unless ``found`` has each of their names once and no other.
    """
    wanted = [name.strip() for name in width.names]
    unknown = [name for name in found if name not in wanted]
    missing = [name for name in wanted if name not in found]
    twice = [name for place, name in enumerate(found) if name in found[:place]]
    first = [f"column {name} is not a feature" for name in unknown[:1]]
    first += [f"the feature {name} has no column" for name in missing[:1]]
    first += [f"column {name} stands there twice" for name in twice[:1]]
    if first:
        raise PredictError(
            f"{where}: {' and '.join(first)}; give the {len(wanted)} features of the training"
            f" graph, {wanted[0]} to {wanted[-1]}, in any order"
        )
    places = {name: place for place, name in enumerate(found)}
    return [places[name] for name in wanted]


def _without_labels(
    path: Path, header: Sequence[str], rest: Sequence[int], columns: int
) -> list[int]:
    labels = [number for number in rest if header[number].lower() in LABELS]
    if not labels or len(rest) != columns + 1:
        return list(rest)
    logger.warning("%s: the column %s is not read", path, header[labels[0]])
    return [number for number in rest if number != labels[0]]


def _refuse_long(path: Path, lowered: Sequence[str], width: Width) -> None:
    others = [name for name in lowered if name not in IDS]
    features = [name for name in others if name in FEATURES]
    values = [name for name in others if name in VALUES]
    is_long = len(features) == 1 and len(values) <= 1 and len(others) == 1 + len(values)
    if is_long and len(others) < len(lowered) and not set(others) <= set(width.names):
        raise PredictError(
            f"{path}: its columns {', '.join(lowered)} give one feature per line; give a table with"
            f" one line per node and {width.columns} columns of features, or an .npz file"
        )
