"""Download one file with pooch: partial downloads are continued, digests verified."""

from __future__ import annotations

import contextlib
import sys
import zipfile
import zlib
from http import HTTPStatus
from pathlib import Path

import pooch
import requests
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

from gkd_runner.common.errors import DataError

RETRIES = 2  # after the first attempt
CHUNK = 1 << 15  # bytes; what a broken connection loses at most
TIMEOUT = 30.0  # seconds without any byte

_INTERRUPTIONS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,  # the server sent less than it announced
)

pooch.get_logger().setLevel("WARNING")  # the progress bar already names the file


class DownloadError(DataError):
    """An address does not serve the file. The message is one line with address and reason."""


def download(url: str, target: Path, *, sha256: str | None) -> None:
    """Make sure that ``target`` holds what ``url`` serves.

    ``url`` may end in ``#member``, the name of a file inside the zip file at ``url``. Bytes
    collect in ``<target>.part``, which a later call continues; ``target`` appears once all bytes
    are there and their digest equals ``sha256`` (``None`` if unknown). A ``target`` that exists
    is only verified. The caller keeps other processes from downloading to the same ``target``.

    Raises ``DownloadError`` when ``url`` does not serve the file, and another ``DataError``
    when ``target`` cannot be written or exists with another digest.
    """
    part = target.with_name(f"{target.name}.part")

    def downloader(url: str, temporary: str, _: object) -> None:
        (_extract if "#" in url else _resume)(url, part)
        part.replace(temporary)

    try:
        if target.is_file():
            _verify(target, sha256)
        else:
            pooch.retrieve(url, sha256, target.name, target.parent, downloader=downloader)
    except requests.RequestException as error:
        raise DownloadError(f"{url}: {_reason(error)}") from error
    except ValueError as error:  # pooch raises it for a wrong digest
        raise DownloadError(f"{url}: {error}") from error
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error}") from error


def _verify(target: Path, sha256: str | None) -> None:
    """Raise where pooch would replace the file, which the user may have put there."""
    if sha256 is not None and (actual := pooch.file_hash(str(target))) != sha256:
        raise DataError(
            f"{target}: its SHA-256 is {actual}, expected {sha256}; remove it to download it anew"
        )


def _resume(url: str, part: Path) -> None:
    """Complete ``part``; a connection that breaks off is resumed a few times."""
    for _ in range(RETRIES):
        with contextlib.suppress(*_INTERRUPTIONS):
            return _append(url, part)
    return _append(url, part)


def _append(url: str, part: Path) -> None:
    """Request the bytes that ``part`` lacks and append them, with a progress bar on a terminal."""
    size = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # a range of compressed bytes could not be appended
    if size:
        headers["Range"] = f"bytes={size}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if size and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise requests.ConnectionError(f"{part.name} held more bytes than the file")
        response.raise_for_status()
        start = size if response.status_code == HTTPStatus.PARTIAL_CONTENT else 0
        length = response.headers.get("Content-Length")
        with part.open("ab" if start else "wb") as stream, _progress() as progress:
            total = start + int(length) if length else None
            task = progress.add_task(part.stem, completed=start, total=total)
            for block in response.iter_content(CHUNK):
                stream.write(block)
                progress.advance(task, len(block))


def _progress() -> Progress:
    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _extract(url: str, part: Path) -> None:
    """Download the zip file, which stays beside ``part``, and copy one member to ``part``."""
    address, _, member = url.partition("#")
    archive = part.with_name(address.rsplit("/", 1)[-1])
    download(address, archive, sha256=None)
    try:
        with zipfile.ZipFile(archive) as files:
            path = next(path for path in files.namelist() if path.split("/")[-1] == member)
            part.write_bytes(files.read(path))
    except StopIteration:
        raise DownloadError(f"{archive}: holds no {member}") from None
    except (zipfile.BadZipFile, zlib.error) as error:
        archive.unlink()
        raise DownloadError(f"{archive}: not a sound zip file ({error}); it was deleted") from error


def _reason(error: BaseException) -> str:
    """The server's answer, or else the text of the innermost error, which started the others."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split()) or type(error).__name__
