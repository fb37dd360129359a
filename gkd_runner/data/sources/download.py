"""Download one file with pooch: partial downloads are continued, digests verified."""

from __future__ import annotations

import contextlib
import lzma
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pooch
import requests
import urllib3
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

from gkd_runner.common.errors import DataError
from gkd_runner.data.sources.archives import MAX_BYTES, flaw

RETRIES = 2  # after the first attempt
CHUNK = 1 << 15  # bytes
TIMEOUT = 30.0  # seconds in which a server must send something, and CHUNK bytes of a body

_INTERRUPTIONS = (
    requests.ConnectionError,
    requests.Timeout,
    urllib3.exceptions.ProtocolError,  # the server sent less than it announced
    urllib3.exceptions.TimeoutError,
)

# RuntimeError: encrypted, or packed in a way that Python cannot unpack. OSError: a wrong offset.
_UNSOUND = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError
)  # fmt: skip

pooch.get_logger().setLevel("WARNING")  # the progress bar already names the file


class DownloadError(DataError):
    """An address does not serve the file. The message is one line with address and reason."""


def download(url: str, target: Path, *, sha256: str | None) -> None:
    """Make sure that ``target`` holds what ``url`` serves.

    ``url`` may end in ``#member``, the name of a file inside the zip file at ``url``. Bytes
    collect in ``<target>.part``, which a later call continues; ``target`` appears once all bytes
    are there and their digest equals ``sha256`` (``None`` if unknown). Without a digest, what an
    earlier call left may be of another file, so that the download starts anew. A ``target`` that
    exists is only verified. The caller keeps other processes from downloading to the same
    ``target``.

    A connection that breaks off is resumed ``RETRIES`` times. Redirects are followed to https,
    and to http where ``url`` is http. Refused are more than ``MAX_BYTES`` and zip files with a
    ``flaw``.

    Raises ``DownloadError`` when ``url`` does not serve the file, and another ``DataError``
    when ``target`` cannot be written or exists with another digest.
    """
    part = target.with_name(f"{target.name}.part")

    def downloader(url: str, temporary: str, _: object) -> None:
        if sha256 is None:
            part.unlink(missing_ok=True)
        (_extract if "#" in url else _resume)(url, part)
        if found := flaw(part):
            part.unlink()
            raise DownloadError(f"{url}: {found}; the file was deleted")
        part.replace(temporary)

    try:
        if target.is_file():
            _verify(target, sha256)
        else:
            pooch.retrieve(url, sha256, target.name, target.parent, downloader=downloader)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise DownloadError(f"{url}: {_reason(error)}") from error
    except ValueError as error:  # pooch raises it for a wrong digest
        if "#" in url:
            _archive(url, part).unlink(missing_ok=True)
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
    with (
        _Session() as session,
        session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response,
    ):
        start = _start(response, part, size)
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        if (total or 0) > MAX_BYTES:
            raise DownloadError(f"{url}: serves {total} bytes, more than {MAX_BYTES}")
        with part.open("ab" if start else "wb") as stream, _progress() as progress:
            task = progress.add_task(part.stem, completed=start, total=total)
            for block in _blocks(response):
                stream.write(block)
                progress.advance(task, len(block))
                if stream.tell() > MAX_BYTES:
                    part.unlink()
                    raise DownloadError(f"{url}: serves more than {MAX_BYTES} bytes")


def _start(response: requests.Response, part: Path, size: int) -> int:
    """The position in the file of the first byte that ``response`` has: ``size`` or 0.

    Raises ``requests.ConnectionError``, without ``part``, if it is neither.
    """
    partial = response.status_code == HTTPStatus.PARTIAL_CONTENT
    if size and (
        response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        or (partial and not response.headers.get("Content-Range", "").startswith(f"bytes {size}-"))
    ):
        part.unlink()
        raise requests.ConnectionError(f"{part.name} was not the beginning of the file")
    response.raise_for_status()
    return size if partial else 0


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives; raises ``requests.Timeout`` below ``CHUNK`` bytes per ``TIMEOUT``."""
    since, received = time.monotonic(), 0
    while block := response.raw.read1(CHUNK, decode_content=True):
        yield block
        received += len(block)
        if (now := time.monotonic()) - since > TIMEOUT:
            if received < CHUNK:
                raise requests.Timeout(f"the server sent {received} bytes in {TIMEOUT:g} s")
            since, received = now, 0


class _Session(requests.Session):
    """Follows redirects to https, and to http where the address that redirects is http."""

    def get_redirect_target(self, response: requests.Response) -> str | None:
        target = super().get_redirect_target(response)
        if target is not None:
            allowed = {"https", urlsplit(response.url).scheme}
            if urlsplit(urljoin(response.url, target)).scheme not in allowed:
                response.close()
                raise requests.exceptions.InvalidSchema(
                    f"redirects to {target}; only {' and '.join(sorted(allowed))} are followed"
                )
        return target


def _progress() -> Progress:
    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _archive(url: str, part: Path) -> Path:
    """Where the zip file of ``url``, which ends in ``#member``, is kept: beside ``part``."""
    return part.with_name(url.partition("#")[0].rsplit("/", 1)[-1])


def _extract(url: str, part: Path) -> None:
    """Download the zip file and copy one member to ``part``; nothing else is unpacked."""
    address, _, member = url.partition("#")
    archive = _archive(url, part)
    download(address, archive, sha256=None)
    try:
        with part.open("wb") as stream:
            stream.writelines(_unpacked(archive, member))
    except DownloadError:
        part.unlink()
        archive.unlink()
        raise


def _unpacked(archive: Path, member: str) -> Iterator[bytes]:
    """The content of ``member``, in blocks; raises ``DownloadError`` if it cannot be read."""
    try:
        with zipfile.ZipFile(archive) as files:
            path = next(path for path in files.namelist() if path.split("/")[-1] == member)
            with files.open(path) as packed:
                while block := packed.read(CHUNK):
                    yield block
    except StopIteration:
        raise DownloadError(f"{archive}: holds no {member}; it was deleted") from None
    except _UNSOUND as error:
        raise DownloadError(f"{archive}: not a sound zip file ({error}); it was deleted") from error


def _reason(error: BaseException) -> str:
    """The server's answer, or else the text of the innermost error, which started the others."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split()) or type(error).__name__
