"""Files that were damaged since they were written: named in one line, and skipped or refused."""

from __future__ import annotations

import csv
import logging
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tokenize import TokenError

from gkd_runner.common.checksums import has_sum
from gkd_runner.common.errors import DamageError, GkdError, on_one_line

logger = logging.getLogger("gkd_runner")


ARRAY_ERRORS = (
    ValueError, TypeError, AttributeError, OSError, EOFError, RuntimeError, OverflowError,
    SyntaxError, TokenError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""Errors of NumPy and zipfile on a file of arrays that is damaged or of another kind."""


class UnreadableError(GkdError):
    """A file whose content is not what its writer wrote."""


@contextmanager
def reading(path: Path, remedy: str, raised: type[GkdError] = UnreadableError) -> Iterator[None]:
    """Raise one error that names ``path`` and the ``remedy``, whatever its content sets off.

    The block only reads and checks the file: any exception in it tells of the content. Errors of
    gkd-runner but ``DamageError`` name the file themselves, and pass.

    Args:
        path: the file.
        remedy: what the user can do, as the end of the sentence.
        raised: the class of the error, which takes the message.
    """
    try:
        yield
    except DamageError as error:
        raise raised(f"{path} is damaged ({error}); {remedy}") from error
    except (GkdError, MemoryError):
        raise
    except Exception as error:
        cause = on_one_line(f"{type(error).__name__}: {error}")
        raise raised(f"{path} is unreadable ({cause}); {remedy}") from error


@contextmanager
def skipping(path: Path, remedy: str) -> Iterator[None]:
    """Log what ``reading`` and the readers within the block raise, and go on after the block."""
    try:
        with reading(path, remedy):
            yield
    except GkdError as error:
        logger.warning("%s", error)


def whole_lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8. Raises ``DamageError`` if the last line was cut off."""
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        raise DamageError("the last line has no end: the file was cut off")
    return text.split("\n")[:-1]


def checked_lines(path: Path) -> list[str]:
    """The lines of a text file that was written with its checksum, or by hand without one.

    Raises ``DamageError`` if the checksum is that of other content or the last line was cut off.
    """
    if not has_sum(path):
        _tell_unchecked(path.absolute())
    return whole_lines(path)


@cache
def _tell_unchecked(path: Path) -> None:
    """Log once in this process that a file is read without a checksum."""
    logger.info("%s has no checksum beside it, so that damage to it goes unnoticed", path)


def csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file, each as long as the header.

    Raises ``DamageError`` as ``checked_lines`` does and for a row of another length, and
    ``csv.Error`` for one that is no CSV.
    """
    if not checked_lines(path):
        raise DamageError("it is empty")
    with path.open(newline="", encoding="utf-8") as text:
        lines = csv.reader(text, strict=True)
        header, rows = next(lines), []
        for row in lines:
            if len(row) != len(header):
                raise DamageError(f"line {lines.line_num} has {len(row)} of {len(header)} values")
            rows.append(row)
    return header, rows
