"""From the ids of nodes, as their source has them, to their places in the graph."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gkd_runner.data.graph import Ids, IntArray
from gkd_runner.predict.folder import PredictError

CLOSE = 0.9
"""Likeness, by ``difflib``, from which an id is suggested in place of an unknown one."""

COMPARED = 20_000
"""Text ids, at most, that an unknown one is compared with to suggest the nearest."""


class NodeIndex:
    """Finds nodes by their ids: ``ids`` ``[n]`` are distinct integers or text."""

    def __init__(self, ids: Ids, graph: str) -> None:
        self.ids, self._graph = ids, graph

    def positions(self, wanted: Iterable[Any] | Ids) -> IntArray:
        """The places of the nodes ``wanted``. Raises ``PredictError`` for an unknown one."""
        asked = self.as_ids(wanted)
        places, found = self._places(asked)
        if not found.all():
            raise PredictError(self._unknown(asked[~found]))
        return places

    def known_among(self, new: Ids) -> Ids:
        """Those of the ids ``new`` that are ids of nodes, whole numbers as text included."""
        if self.ids.dtype.kind == "U":
            alike = new.astype(str)
        else:
            numbers = [node for node in map(str, new.tolist()) if node.isdecimal()]
            alike = np.array(numbers, dtype=np.int64)
        return alike[self._places(alike)[1]]

    def knows(self, wanted: Iterable[Any] | Ids) -> bool:
        """True if all of ``wanted`` are ids of nodes."""
        try:
            return bool(self._places(self.as_ids(wanted))[1].all())
        except PredictError:  # text, where the ids are numbers
            return False

    def as_ids(self, wanted: Iterable[Any] | Ids) -> Ids:
        """Ids of the same kind as the graph's. Raises ``PredictError`` if that is impossible."""
        if isinstance(wanted, str):
            wanted = [wanted]
        asked = wanted if isinstance(wanted, np.ndarray) else np.array(list(wanted))
        if len(asked) == 0:
            return self.ids[:0]
        if asked.dtype.kind == self.ids.dtype.kind:
            return asked
        if self.ids.dtype.kind == "U":
            return asked.astype(str)
        try:
            return np.array([int(node) for node in asked.tolist()], dtype=np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise PredictError(
                f"{error}: the node ids of {self._graph} are whole numbers, such as {self.ids[0]}"
            ) from error

    def _places(self, asked: Ids) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        order, ids = self._sorted
        places = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
        return order[places], ids[places] == asked

    @cached_property
    def _sorted(self) -> tuple[IntArray, Ids]:
        order = np.argsort(self.ids, kind="stable")
        return order, self.ids[order]

    def _unknown(self, missing: Ids) -> str:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        first = missing[0].item()
        return (
            f"node {first!r}{more} is not in the graph {self._graph}{self._nearest(first)}; a new"
            " node needs its features"
        )

    def _nearest(self, node: Any) -> str:
        _, ids = self._sorted
        if isinstance(node, int):
            return f" (the nearest id is {ids[np.abs(ids - node).argmin()]})"
        place = int(np.searchsorted(ids, node))
        around = ids[max(place - COMPARED // 2, 0) : place + COMPARED // 2]
        like = difflib.get_close_matches(str(node), around.tolist(), n=1, cutoff=CLOSE)
        return f"; did you mean {like[0]!r}?" if like else ""


def check_new_ids(ids: Ids, count: int) -> None:
    """Raise ``PredictError`` unless ``ids`` are ``count`` different ones."""
    if len(ids) != count:
        raise PredictError(f"{len(ids)} ids for {count} rows of features")
    found, times = np.unique(ids, return_counts=True)
    if len(found) < count:
        twice = found[times > 1][0].item()
        raise PredictError(f"the ids of new nodes are not unique: {twice!r} stands there twice")
