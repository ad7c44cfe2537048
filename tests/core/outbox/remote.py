"""A remote system on loopback: real HTTP, told by the tests how to behave."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any


class Remote(ThreadingHTTPServer):
    """Performs what it is asked to; the same Idempotency-Key once.

    `calls` lists what it heard, in order; `effects` counts what it did for each id. While `status`
    is not 200 it answers that and does nothing. `bad_ids` make it refuse (400) a whole request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[Any] = []
        self.effects: Counter[Any] = Counter()
        self.status = 200
        self.bad_ids: set[Any] = set()
        self._seen: set[str] = set()
        self._lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def hear(self, ids: list[Any], idempotency_key: str | None) -> int:
        with self._lock:
            self.calls.append(ids)
            if self.status != 200:
                return self.status
            if self.bad_ids & set(ids):
                return 400
            if idempotency_key is None or idempotency_key not in self._seen:
                self.effects.update(ids)
            if idempotency_key:
                self._seen.add(idempotency_key)
            return 200


class _Handler(BaseHTTPRequestHandler):
    server: Remote

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.hear(body, self.headers.get("Idempotency-Key")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Keep the tests' output clean."""


@contextmanager
def serving() -> Iterator[Remote]:
    with Remote() as remote:
        thread = Thread(target=remote.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield remote
        finally:
            remote.shutdown()
            thread.join()
