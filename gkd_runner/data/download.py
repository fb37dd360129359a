"""Fetch one file over HTTP: resumed where possible, checked, and complete or absent."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from gkd_runner.common.errors import DataError

ATTEMPTS = 3
CHUNK = 1 << 18  # bytes
TIMEOUT = 30.0  # seconds without any byte

_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)


class DownloadError(DataError):
    """An address that does not serve the file, with the reason, on one line."""


@dataclass(frozen=True)
class _Transfer:
    """One answer of the server; ``start`` and ``total`` count bytes of the whole file."""

    response: http.client.HTTPResponse
    start: int
    total: int | None


def download(url: str, target: Path, *, sha256: str | None, timeout: float = TIMEOUT) -> Path:
    """Make ``target`` hold what ``url`` serves, and return it.

    Bytes collect in ``<target>.part``, which a later call continues with a Range request (or
    starts again where the server does not support it), and are renamed once their number
    equals the announced length and their digest equals ``sha256`` (lower-case hexadecimal;
    ``None`` where no digest is known). A ``target`` that is already there is verified and
    kept. The caller sees to it that no other process fetches the same file. The progress bar
    appears on standard error, on a terminal only. ``timeout`` is in seconds per network wait.

    Raises ``DownloadError`` when ``url`` does not serve the file, another ``DataError`` when
    the disk fails or ``target`` is there already with another digest.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            _verify_present(target, sha256)
            return target
        _collect(url, part, timeout)
        _verify_downloaded(url, part, sha256)
        part.replace(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error}") from error
    return target


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _collect(url: str, part: Path, timeout: float) -> None:
    """Fill ``part`` to its full length; a cut connection is resumed a few times."""
    with _progress(part.stem) as progress:
        for _ in range(ATTEMPTS):
            failure, worth_retrying = _attempt(url, part, timeout, progress)
            if failure is None:
                return
            if not worth_retrying:
                break
    raise DownloadError(f"{url}: {' '.join(str(failure).split())}")


def _attempt(url: str, part: Path, timeout: float, progress: Progress) -> tuple[str | None, bool]:
    """What went wrong, if anything, and whether another try can help."""
    try:
        complete = _continue(url, part, timeout, progress)
    except urllib.error.HTTPError as error:
        error.close()
        outgrown = error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if outgrown:
            part.unlink(missing_ok=True)
        return f"the server answered {error.code} {error.reason}", outgrown
    except _NETWORK_ERRORS as error:
        return str(getattr(error, "reason", None) or error or type(error).__name__), True
    return (None if complete else "the connection was cut"), True


def _continue(url: str, part: Path, timeout: float, progress: Progress) -> bool:
    """Append what is missing; ``True`` once as many bytes are there as were announced."""
    with _open(url, part.stat().st_size if part.exists() else 0, timeout) as transfer:
        task = progress.tasks[0].id
        progress.update(task, completed=transfer.start, total=transfer.total)
        size = transfer.start
        with part.open("ab" if transfer.start else "wb") as stream:
            while block := transfer.response.read(CHUNK):
                stream.write(block)
                size += len(block)
                progress.update(task, completed=size)
    if transfer.total is not None and size > transfer.total:
        part.unlink()
    return transfer.total is None or size == transfer.total


@contextlib.contextmanager
def _open(url: str, have: int, timeout: float) -> Iterator[_Transfer]:
    headers = {"User-Agent": "gkd-runner", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        span = response.headers.get("Content-Range", "")
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT and span.startswith(
            f"bytes {have}-"
        )
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        yield _Transfer(response, start, None if length is None else start + int(length))


@contextlib.contextmanager
def _progress(label: str) -> Iterator[Progress]:
    """A bar on standard error; off a terminal one that is never started and shows nothing."""
    progress = Progress(
        "[progress.description]{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    progress.add_task(label, total=None)
    with progress if sys.stderr.isatty() else contextlib.nullcontext():
        yield progress


def _verify_present(target: Path, sha256: str | None) -> None:
    if sha256 is not None and (found := file_sha256(target)) != sha256:
        raise DataError(
            f"{target}: its SHA-256 is {found}, expected {sha256}; remove it to download it anew"
        )


def _verify_downloaded(url: str, part: Path, sha256: str | None) -> None:
    if sha256 is not None and (found := file_sha256(part)) != sha256:
        part.unlink()
        raise DownloadError(
            f"{url}: the downloaded file's SHA-256 is {found}, expected {sha256}; it was deleted"
            " (a damaged transfer, or the file has changed at its source)"
        )
