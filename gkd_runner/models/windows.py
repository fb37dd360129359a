"""Dropout for some rows of a batch, with the masks that they have in the whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int16
from torch import Tensor

from gkd_runner.common.processes import Window
from gkd_runner.models.streams import Streams


class WindowStreams(Streams):
    """The random words of one pass of a window of rows through layers of these ``widths``.

    All words of the whole batch are drawn from ``streams``, and those of the window are kept. So
    the streams of all processes stay in step, whichever rows each of them has.
    """

    def __init__(self, streams: Streams, window: Window, widths: Sequence[int]) -> None:
        self.device, self._on_host = streams.device, streams._on_host
        drawn = [_kept(streams, window, width) for width in widths]
        self._left = list(torch.cat(drawn, dim=1))

    @property
    def replicas(self) -> int:
        return len(self._left)

    def _words(self, replica: int, count: int) -> Int16[Tensor, " count"]:
        words, self._left[replica] = torch.tensor_split(self._left[replica], [count])
        return words


def _kept(streams: Streams, window: Window, width: int) -> Int16[Tensor, "R k"]:
    """The window's words of a layer, for each replica."""
    start, stop, total = (rows * width for rows in window)
    return streams.words([total] * streams.replicas).view(-1, total)[:, start:stop]
