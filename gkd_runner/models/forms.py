"""Decisions between a sparse and a dense first layer: timed once, remembered for this machine."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from gkd_runner.common.files import write_file
from gkd_runner.graph.features import Features

logger = logging.getLogger("gkd_runner")

UNCERTAIN = {"cpu": (3.0, 40.0), "cuda": (3.0, 400.0)}
"""Ratios of dense to stored values between which both forms are timed.

A stored value costs 4 to 8 times as much as a dense one in Cora's first layer on two CPU cores,
and more in Pubmed's, whose dense form is the faster one at a ratio of 8 and width 1,024. Outside of
these limits, which are wide, the count decides. Those of a GPU are guesses.
"""

CLOSE = 2.0
"""Forms whose times differ by less than this factor are timed a second time."""

SPARSE, DENSE = "sparse", "dense"


class Choice(NamedTuple):
    """One decision; equal choices are decided alike.

    ``rows`` is the number of binary digits of the number of rows, so that seeds with about equal
    receptive fields share one decision. ``width`` is the number of the layer's outputs; without
    it, in inference mode or with ``deterministic=true``, the count always decides.
    """

    device: str
    threads: int
    replicas: int
    rows: int
    columns: int
    ratio: int
    width: int | None

    @staticmethod
    def of(
        features: Sequence[Features], stored: int, device: torch.device, width: int | None
    ) -> Choice:
        """The choice for features whose sparse form stores that many values."""
        n, d = features[0].shape
        ratio = round(n * d / max(stored, 1))
        # inference mode has no backward pass to time
        by_count = torch.is_inference_mode_enabled() or torch.are_deterministic_algorithms_enabled()
        timed = None if by_count else width
        threads = torch.get_num_threads()
        return Choice(device.type, threads, len(features), n.bit_length(), d, ratio, timed)

    @property
    def by_count(self) -> str | None:
        """The form that the count of values decides for; ``None`` where it is uncertain."""
        low, high = UNCERTAIN[self.device]
        if self.width is None or not low < self.ratio < high:
            return SPARSE if self.ratio > low else DENSE
        return None

    @property
    def name(self) -> str:
        """The choice on this machine, as a text."""
        return "/".join(map(str, (platform.node(), torch.__version__, *self)))


class Decisions:
    """The decisions of this process, and of earlier ones that a file remembers."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._known: dict[str, str] = {}

    def remember_in(self, file: Path) -> None:
        """Take decisions from ``file``, and add new ones to it."""
        self._file = file
        self._known.update(_read(file))

    def form(self, choice: Choice, seconds: Callable[[str], float]) -> str:
        """The faster form; ``seconds`` times one of them."""
        if choice.name not in self._known:
            times = {form: seconds(form) for form in (SPARSE, DENSE)}
            if max(times.values()) < CLOSE * min(times.values()):
                times = {form: seconds(form) for form in times}
            self._add(choice.name, min(times, key=times.__getitem__))
        return self._known[choice.name]

    def _add(self, name: str, form: str) -> None:
        self._known[name] = form
        if self._file is not None:
            self._known.update(_read(self._file))  # another process may have been faster
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_file(self._file, json.dumps(self._known, indent=1))
            except OSError as error:  # a run can do without, as on a cache that cannot be written
                logger.warning("%s; first layers are timed again in other runs", error)
                self._file = None


def _read(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(known, dict) and set(known.values()) <= {SPARSE, DENSE}:
            return known
        problem = "not an object of forms"
    except (ValueError, TypeError) as error:
        problem = str(error)
    logger.warning("%s is unreadable (%s); first layers are timed anew", file, problem)
    return {}


DECISIONS = Decisions()
"""Those of this process."""
