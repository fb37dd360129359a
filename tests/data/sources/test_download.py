from __future__ import annotations

import hashlib
import http.server
import io
import random
import socket
import stat
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pooch
import pytest
import requests

from gkd_runner.common.errors import DataError
from gkd_runner.data.sources import archives
from gkd_runner.data.sources import download as download_module
from gkd_runner.data.sources.download import CHUNK, DownloadError, download

BODY = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``body``; can ignore ranges, cut the first answers short, or hide the length.

    Other paths than ``/file.bin`` lead to ``redirect``, if there is one.
    """

    daemon_threads = True
    body = BODY
    ranges = True
    with_length = True
    redirect: str | None = None
    shift = 0  # by which the part that a range asks for is missed
    dripping: threading.Event  # after a body come single bytes, without an end
    cuts: list[int]  # bytes after which each of the first answers is cut
    asked: list[str | None]  # the Range header of every request so far

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if self.path != "/file.bin":
            self.elsewhere()
            return
        start = int(wanted[6:-1]) + server.shift if wanted and server.ranges else 0
        if start >= len(server.body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            span = f"bytes {start}-{len(server.body) - 1}/{len(server.body)}"
            self.send_header("Content-Range", span)
        if server.with_length:
            self.send_header("Content-Length", str(len(server.body) - start))
        self.end_headers()
        stop = start + server.cuts.pop(0) if server.cuts else len(server.body)
        self.wfile.write(server.body[start:stop])
        while server.dripping.is_set():
            self.wfile.write(b".")
            time.sleep(0.01)

    def elsewhere(self) -> None:
        if self.server.redirect is None:
            self.send_error(404)
            return
        self.send_response(302)
        self.send_header("Location", self.server.redirect)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.cuts, server.asked, server.dripping = [], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.dripping.clear()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "file.bin"


def test_a_file_arrives_whole_and_alone(server: Server, target: Path) -> None:
    download(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


def test_nothing_is_printed_off_a_terminal(
    server: Server,
    target: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pooch.get_logger().handlers[0], "stream", sys.stderr)
    download(server.url, target, sha256=None)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_progress_on_standard_error(
    server: Server,
    target: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    download(server.url, target, sha256=None)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "file.bin" in printed.err


def test_a_cut_connection_is_resumed_where_it_broke(server: Server, target: Path) -> None:
    server.cuts = [9 * CHUNK, 6 * CHUNK]
    download(server.url, target, sha256=DIGEST)
    assert server.asked == [None, f"bytes={9 * CHUNK}-", f"bytes={15 * CHUNK}-"]
    assert target.read_bytes() == BODY


def test_a_later_call_resumes_what_an_earlier_one_left(server: Server, target: Path) -> None:
    server.cuts = [3 * CHUNK, 3 * CHUNK, 3 * CHUNK]
    with pytest.raises(DataError, match=r"bytes read, \d+ more expected"):
        download(server.url, target, sha256=DIGEST)
    assert not target.exists()
    download(server.url, target, sha256=DIGEST)
    assert server.asked[-1] == f"bytes={9 * CHUNK}-"
    assert target.read_bytes() == BODY


def test_without_range_support_the_download_starts_again(server: Server, target: Path) -> None:
    server.ranges, server.cuts = False, [300_000]
    download(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY


def test_a_partial_file_longer_than_the_source_is_thrown_away(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(b"x" * (len(BODY) + 1))
    download(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY


def test_an_answer_of_unknown_length_is_accepted(server: Server, target: Path) -> None:
    server.with_length = False
    download(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == BODY


def test_a_wrong_digest_deletes_the_download_and_names_both(server: Server, target: Path) -> None:
    with pytest.raises(DataError, match=f"expected {'0' * 64} but got {DIGEST}"):
        download(server.url, target, sha256="0" * 64)
    assert list(target.parent.iterdir()) == []


def test_a_file_that_is_there_is_kept_without_asking_the_server(
    server: Server, target: Path
) -> None:
    target.parent.mkdir()
    target.write_bytes(BODY)
    download(server.url, target, sha256=DIGEST)
    assert server.asked == []


def test_a_wrong_file_that_is_there_is_reported_and_left_alone(
    server: Server, target: Path
) -> None:
    target.parent.mkdir()
    target.write_bytes(b"something else")
    with pytest.raises(DataError, match=f"expected {DIGEST}; remove it"):
        download(server.url, target, sha256=DIGEST)
    assert target.read_bytes() == b"something else"


def test_an_absent_page_names_url_and_status_on_one_line(server: Server, target: Path) -> None:
    url = server.url.replace("file.bin", "absent.bin")
    with pytest.raises(DownloadError) as error:
        download(url, target, sha256=None)
    assert str(error.value) == f"{url}: the server answered 404 Not Found"
    assert len(server.asked) == 1


def test_an_unreachable_server_names_url_and_reason_on_one_line(target: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"
    with pytest.raises(DownloadError) as error:
        download(url, target, sha256=None)
    assert str(error.value).startswith(f"{url}: ")
    assert "refused" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_silent_server_is_given_up(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "TIMEOUT", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.bin"
        with pytest.raises(DataError, match="timed out"):
            download(url, target, sha256=None)


def test_something_that_is_no_url_is_refused(target: Path) -> None:
    with pytest.raises(DataError, match="nonsense: Invalid URL"):
        download("nonsense", target, sha256=None)


def test_a_place_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        download(server.url, tmp_path / "file" / "x.bin", sha256=None)


def test_a_part_of_another_place_in_the_file_is_not_appended(server: Server, target: Path) -> None:
    server.cuts, server.shift = [3 * CHUNK], 1
    download(server.url, target, sha256=None)
    assert target.read_bytes() == BODY
    assert server.asked == [None, f"bytes={3 * CHUNK}-", None]


def test_what_an_earlier_call_left_is_not_continued_without_a_digest(
    server: Server, target: Path
) -> None:
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(b"the beginning of another file")
    download(server.url, target, sha256=None)
    assert target.read_bytes() == BODY
    assert server.asked == [None]


@pytest.mark.parametrize(
    "elsewhere", ["file:///etc/passwd", "ftp://127.0.0.1/file.bin", "gopher://x/", "data:,x"]
)
def test_a_redirect_to_another_scheme_is_refused(
    server: Server, target: Path, elsewhere: str
) -> None:
    server.redirect = elsewhere
    url = server.url.replace("file.bin", "moved.bin")
    with pytest.raises(DownloadError) as error:
        download(url, target, sha256=None)
    assert str(error.value) == (
        f"{url}: redirects to {elsewhere}; only http and https are followed"
    )
    assert list(target.parent.iterdir()) == []


def test_a_redirect_to_the_same_scheme_is_followed(server: Server, target: Path) -> None:
    server.redirect = "/file.bin"
    download(server.url.replace("file.bin", "moved.bin"), target, sha256=DIGEST)
    assert target.read_bytes() == BODY


def test_a_redirect_without_an_end_is_refused(server: Server, target: Path) -> None:
    server.redirect = "/again.bin"
    with pytest.raises(DownloadError, match="redirects"):
        download(server.url.replace("file.bin", "again.bin"), target, sha256=None)


def test_a_redirect_from_https_to_http_is_refused_before_it_is_followed(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = requests.adapters.HTTPAdapter.send

    def answered(self: object, request: requests.PreparedRequest, **options: object) -> object:
        if not str(request.url).startswith("https://"):
            return send(self, request, **options)
        moved = requests.Response()
        moved.status_code, moved.url, moved.request = 302, str(request.url), request
        moved.raw = io.BytesIO()
        moved.headers["Location"] = server.url
        return moved

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answered)
    with pytest.raises(DownloadError, match=f"redirects to {server.url}; only https"):
        download("https://secure.test/file.bin", target, sha256=DIGEST)
    assert server.asked == []


def test_a_server_that_sends_single_bytes_is_given_up(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "TIMEOUT", 0.1)
    server.cuts, server.with_length = [0, 0, 0], False
    server.dripping.set()
    with pytest.raises(DownloadError, match=r"the server sent \d+ bytes in 0.1 s"):
        download(server.url, target, sha256=DIGEST)
    assert not target.exists()
    assert len(server.asked) == 1 + download_module.RETRIES


@pytest.mark.parametrize("with_length", [True, False])
def test_a_download_that_is_too_large_is_refused_and_leaves_nothing(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, with_length: bool
) -> None:
    monkeypatch.setattr(download_module, "MAX_BYTES", 100_000)
    server.with_length = with_length
    with pytest.raises(DownloadError, match="more than 100000"):
        download(server.url, target, sha256=DIGEST)
    assert list(target.parent.iterdir()) == []


def zipped(*members: zipfile.ZipInfo | str, content: bytes = b"content") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    "name", ["../x.npy", "a/../../x.npy", "/etc/x.npy", "C:/x.npy", "..\\x.npy", "\\\\host\\x"]
)
def test_a_member_that_climbs_out_of_its_archive_is_refused(
    server: Server, target: Path, name: str
) -> None:
    server.body = zipped("sound.npy", name)
    with pytest.raises(DownloadError) as error:
        download(server.url, target, sha256=hashlib.sha256(server.body).hexdigest())
    assert str(error.value) == (
        f"{server.url}: its member {name!r} lies outside the archive; the file was deleted"
    )
    assert list(target.parent.iterdir()) == []


def test_a_member_that_is_a_link_is_refused(server: Server, target: Path) -> None:
    link = zipfile.ZipInfo("link.npy")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    server.body = zipped(link, content=b"/etc/passwd")
    with pytest.raises(DownloadError, match=r"'link.npy' is a link; the file was deleted"):
        download(server.url, target, sha256=None)
    assert list(target.parent.iterdir()) == []


def test_an_archive_bomb_is_refused_before_it_is_unpacked(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 10**6)
    server.body = zipped("a.npy", "b.npy", content=bytes(600_000))
    assert len(server.body) < 10_000
    for url in (server.url, f"{server.url}#a.npy"):
        with pytest.raises(DownloadError, match="unpacks to 1200000 bytes, more than 1000000"):
            download(url, target, sha256=None)
        assert list(target.parent.iterdir()) == []


def test_a_damaged_archive_leaves_nothing(server: Server, target: Path) -> None:
    sound = zipped("a.npy", content=bytes(range(256)))
    generator, told = random.Random(0), set()
    for _ in range(60):
        damaged = bytearray(sound)
        damaged[generator.randrange(len(sound))] ^= 1 << generator.randrange(8)
        server.body = bytes(damaged)
        try:
            download(
                f"{server.url}#a.npy", target, sha256=hashlib.sha256(bytes(range(256))).hexdigest()
            )
        except DownloadError as error:
            told.add(str(error))
            assert list(target.parent.iterdir()) == []
        else:
            assert target.read_bytes() == bytes(range(256))
            for path in target.parent.iterdir():
                path.unlink()
    assert len(told) > 5
    assert not any("\n" in message for message in told)


def test_a_member_with_a_wrong_digest_leaves_no_archive_that_would_be_trusted(
    server: Server, target: Path
) -> None:
    server.body = zipped("a.npy", content=b"other")
    right = hashlib.sha256(b"right").hexdigest()
    with pytest.raises(DownloadError, match=f"expected {right} but got"):
        download(f"{server.url}#a.npy", target, sha256=right)
    server.body = zipped("a.npy", content=b"right")
    download(f"{server.url}#a.npy", target, sha256=right)
    assert target.read_bytes() == b"right"
