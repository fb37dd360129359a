"""A stand-in for W&B's server, which answers as it is told: well, badly or not at all."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

REFUSED = {"errors": [{"message": "invalid key"}]}
BUCKET = {"id": "b", "name": "r", "project": {"name": "study", "entity": {"name": "me"}}}


class Service(http.server.ThreadingHTTPServer):
    """``GET /behave/NAME`` chooses the behaviour, by name: a method of ``Handler``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour = "well"
        self.opened = 0  # runs since the behaviour was chosen
        self.asked = 0
        self.rows: list[dict[str, Any]] = []  # of all histories
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """The other side may hang up."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.asked += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/behave/"):
            self.server.behaviour, self.server.opened = self.path.split("/")[-1], 0
            return self.answer({})
        return getattr(self, self.server.behaviour)(body)

    do_GET = do_PUT = do_POST  # noqa: N815

    def well(self, body: bytes) -> None:
        if "file_stream" in self.path:
            history = json.loads(body).get("files", {}).get("wandb-history.jsonl", {})
            self.server.rows += map(json.loads, history.get("content", ()))
            return self.answer({"limits": {}})
        if self.path != "/graphql":
            return self.answer({})
        asked = json.loads(body)
        if "upsertBucket" in asked["query"]:
            self.server.opened += 1
            name = asked["variables"].get("name", "r")
            return self.answer(
                {"data": {"upsertBucket": {"bucket": BUCKET | {"name": name}, "inserted": True}}}
            )
        if "createRunFiles" in asked["query"]:
            names = asked["variables"]["files"]
            files = [{"name": name, "uploadUrl": f"{self.server.url}/{name}"} for name in names]
            created = {"runID": "b", "uploadHeaders": [], "files": files}
            return self.answer({"data": {"createRunFiles": created}})
        return self.answer({"data": {}})

    def refuses(self, _: bytes) -> None:
        self.answer(REFUSED, status=401)

    def rubbish(self, _: bytes) -> None:
        self.send(200, b"<html>please log in</html>")

    def fails(self, _: bytes) -> None:
        self.answer({}, status=500)

    def hangs_up(self, _: bytes) -> None:
        self.close_connection = True

    def silent(self, _: bytes) -> None:
        self.server.over.wait()

    def endless(self, _: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.over.wait(0.1):
            self.wfile.write(b" ")

    def dies(self, body: bytes) -> None:
        """Falls silent once two runs are open."""
        (self.well if self.server.opened < 2 else self.silent)(body)

    def breaks(self, body: bytes) -> None:
        """Refuses everything once two runs are open."""
        (self.well if self.server.opened < 2 else self.refuses)(body)

    def answer(self, value: Any, *, status: int = 200) -> None:
        self.send(status, json.dumps(value).encode())

    def send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def service() -> Iterator[Service]:
    """A server that runs within the block."""
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()
