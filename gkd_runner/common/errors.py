"""Every error a user can meet derives from ``GkdError`` and quotes the offending value."""

from __future__ import annotations

import difflib
import errno
import os
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

TRAINING_MODULES = (
    "filelock",
    "hydra",
    "jaxtyping",
    "jinja2",
    "omegaconf",
    "pandas",
    "pooch",
    "requests",
    "rich",
    "safetensors",
    "tabulate",
    "torch",
    "wandb",
)
"""The modules that the extra ``train`` installs."""

REMEDIES = {
    errno.ENOSPC: "free space on that disk, or choose",
    errno.EDQUOT: "free space on that disk, or choose",
    errno.EROFS: "make that disk writable, or choose",
    errno.EACCES: "give this user access, or choose",
    errno.EPERM: "give this user access, or choose",
    errno.EEXIST: "move it away, or choose",
    errno.ENOTDIR: "move it away, or choose",
}
"""The way out of an error of the system, up to the words ``another folder``."""

SUGGESTED = 3
"""Names that a message suggests at most."""


class GkdError(Exception):
    """Base of all errors that gkd-runner raises on purpose."""


class ConfigError(GkdError):
    """One or more configuration mistakes, all reported at once."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = list(mistakes)
        lines = "".join(f"\n  - {mistake}" for mistake in self.mistakes)
        several = f"{len(self.mistakes)} configuration mistakes:{lines}"
        super().__init__(several if len(self.mistakes) > 1 else self.mistakes[0])


class DataError(GkdError):
    """A graph file that is missing, broken, or unfit for the protocol asked for."""


class TrainingError(GkdError):
    """Training that cannot go on."""


class RunError(GkdError):
    """A run that cannot be read back: missing, unfinished, or with files lost or changed."""


class DamageError(GkdError):
    """A file that is not as it was written; who reads it names it and says what to do."""


class LaunchError(GkdError):
    """A launcher that could not run the cells of a sweep to their end."""


def explain(failure: Exception, *, trains: bool = True) -> str | None:
    """The message for the user; ``None`` if the failure is a bug.

    The options that it names are those of training; ``trains=False`` leaves them out.
    """
    if isinstance(failure, GkdError):
        return str(failure)
    if isinstance(failure, OSError):
        return _refused(failure, trains)
    if isinstance(failure, RuntimeError) and "home directory" in str(failure):  # of pathlib
        given = ", as data_dir does unless it or GKD_DATA is given" * trains
        return f"this user has no home folder, in which paths with ~ begin{given}; set HOME"
    if isinstance(failure, ModuleNotFoundError) and failure.name in TRAINING_MODULES:
        return f'{failure.name} is not installed: pip install "gkd-runner[train]"'
    if is_out_of_memory(failure):
        text = str(failure).partition("\n")[0] or "out of memory"
        way_out = "; use replicas=1 or a smaller teacher.hidden_dim and student.hidden_dim"
        return f"{text}{way_out * trains}"
    return None


def _refused(failure: OSError, trains: bool) -> str:
    """The message on what the system refused: the reason, the file or folder, the way out."""
    folders = "output_dir, cache_dir and data_dir"
    way_out = REMEDIES.get(failure.errno or 0)
    if failure.filename is None or way_out is None:
        return f"{failure}{f'; look at {folders}' * trains}"
    path = Path(os.fsdecode(failure.filename))
    in_the_way = next((part for part in (path, *path.parents) if part.is_file()), None)
    if in_the_way and failure.errno in (errno.EEXIST, errno.ENOTDIR):
        told = f"{in_the_way} is a file, and a folder is needed there"
    else:
        told = f"{failure.strerror}: {path}"
    return f"{told}; {way_out} another folder{f' ({folders} name them)' * trains}"


def is_out_of_memory(failure: Exception) -> bool:
    """True if an allocation failed; torch raises a plain ``RuntimeError`` on the CPU."""
    texts = ("out of memory", "DefaultCPUAllocator")
    of_torch = isinstance(failure, RuntimeError) and any(words in str(failure) for words in texts)
    return isinstance(failure, MemoryError) or of_torch


def on_one_line(text: str) -> str:
    """``text`` without line breaks, at most 200 characters of it."""
    return textwrap.shorten(text, 200, placeholder=" ...")


def nearest(name: str, allowed: Iterable[str], shown: Mapping[str, str] | None = None) -> str:
    """Return ``"; did you mean 'x'?"`` for the allowed names like ``name``, or an empty string.

    ``shown`` maps allowed names to what is suggested in their place.
    """
    meant = dict.fromkeys(repr((shown or {}).get(like, like)) for like in closest(name, allowed))
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


def closest(name: str, allowed: Iterable[str]) -> list[str]:
    """The allowed names that ``name`` most likely means: at most ``SUGGESTED``, often none.

    Capitals do not count. A whole name comes before a beginning (``ind`` of ``inductive``), this
    before a similar spelling, and last comes a part (``physics`` of ``coauthor-physics``).
    """
    names = {other.casefold(): other for other in allowed}
    typed = name.casefold()
    if typed in names:
        return [names[typed]]
    begun = [other for other in names if typed and other.startswith(typed)]
    if 0 < len(begun) <= SUGGESTED:
        return [names[other] for other in begun]
    similar = difflib.get_close_matches(typed, names, n=1, cutoff=0.6)
    parts = [other for other in names if len(typed) > 2 and typed in other]
    return [names[other] for other in similar or parts[:SUGGESTED]]
