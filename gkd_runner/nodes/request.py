"""A request to ``gkd-inspect``: all its mistakes, or its nodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.extras import lacking
from gkd_runner.config.command_line import check_overrides
from gkd_runner.nodes.inspected import Inspected, inspect_graph, inspect_run

MOVABLE = ("cache_dir", "data_dir", "dataset.path")
"""Options that say where files lie; the only ones that go with ``--run``."""

PICTURES = (".png", ".svg")


@dataclass(frozen=True)
class Request:
    """The arguments of one command line."""

    overrides: Sequence[str]
    run: Path | None
    seed: int | None
    out: Path
    plot: Path | None

    def answer(self) -> Inspected:
        """Read the graph, or the run. Raises ``ConfigError`` with all mistakes at once."""
        mistakes = list(self._mistakes())
        read: Callable[[], Inspected]
        if self.run:
            moved = {key: value for key, _, value in (t.partition("=") for t in self.overrides)}
            read = partial(inspect_run, self.run.expanduser(), self.seed, moved)
        else:
            try:
                read = partial(inspect_graph, check_overrides(self.overrides), self.seed)
            except ConfigError as error:
                mistakes += error.mistakes
        if mistakes:
            raise ConfigError(mistakes)
        return read()

    def _mistakes(self) -> Iterator[str]:
        yield from _file_mistakes("--out", self.out)
        if self.plot:
            yield from _file_mistakes("--plot", self.plot)
            yield from _plot_mistakes(self.plot)
        if self.seed is not None and self.seed < 0:
            yield f"--seed {self.seed} is out of range; it must be >= 0"
        for text in self.overrides if self.run else ():
            if text.partition("=")[0] not in MOVABLE or "=" not in text:
                yield (
                    f"{text} beside --run: the configuration is the run's own"
                    f" ({self.run}/config.yaml); leave it out (only {', '.join(MOVABLE)} may be"
                    " given, for files that have moved)"
                )


def _file_mistakes(flag: str, path: Path) -> Iterator[str]:
    folder = path.parent
    if path.is_dir():
        yield f"{flag} {path} is a folder; give the name of a file in it"
    elif not folder.is_dir():
        yield f"{flag} {path}: there is no folder {folder}; make it first (mkdir -p {folder})"
    elif not os.access(folder, os.W_OK):
        yield f"{flag} {path}: the folder {folder} cannot be written; choose another"


def _plot_mistakes(path: Path) -> Iterator[str]:
    if path.suffix not in PICTURES:
        yield f"--plot {path} must end in {' or '.join(PICTURES)}"
    if mistake := lacking("--plot", "plot", "matplotlib"):
        yield mistake
