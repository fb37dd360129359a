from __future__ import annotations

import hashlib
import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pooch
import pytest

from gkd_runner.common.errors import DataError
from gkd_runner.data.sources import download as download_module
from gkd_runner.data.sources.download import CHUNK, DownloadError, download

BODY = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``body``; can ignore ranges, cut the first answers short, or hide the length."""

    daemon_threads = True
    body = BODY
    ranges = True
    with_length = True
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
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
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

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.cuts, server.asked = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
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
