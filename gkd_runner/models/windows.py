"""Dropout for some rows of a batch, with the masks that they have in the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from gkd_runner.common.processes import Window
from gkd_runner.models.streams import Streams


class WindowStreams(Streams):
    """Draws for whole batches from ``streams``, and keeps what is drawn for a window of rows.

    So the streams of all processes stay in step, whichever rows each of them has.
    """

    def __init__(self, streams: Streams, window: Window) -> None:
        vars(self).update(vars(streams))  # the same generators
        self._window = window
        self._each = 1

    def mask(self, shape: Sequence[int], drop: float, rows: Sequence[int] | None = None) -> Tensor:
        """As ``Streams.mask``, for the ``shape[1]`` rows of the window."""
        self._each = prod(shape[2:])
        return super().mask(shape, drop, rows)

    def words(self, counts: Sequence[int]) -> Tensor:
        """The window's words of each replica; ``counts`` are theirs."""
        start, stop, total = (rows * self._each for rows in self._window)
        return torch.cat([self._words(r, total)[start:stop] for r in range(len(counts))])
