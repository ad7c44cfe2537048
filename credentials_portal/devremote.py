"""What the stand-ins for remote systems share: a real HTTP server that can be told to fail.

For tests and trials: `devlms` stands in for the LMS, `devorders` for the order service.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs

Reply = tuple[int, Any]


@dataclass(frozen=True)
class Call:
    """What was asked, and how it was answered: 0 where the connection was dropped."""

    method: str
    path: str
    body: Any
    status: int


@dataclass
class Failure:
    """How calls fail: every `every`-th of those whose path and body hold these words.

    `status` is the answer; 0 drops the connection, and if `after_work` once the work is done.
    """

    status: int
    path: str = ""
    body: str = ""
    every: int = 1
    after_work: bool = False
    times: int | None = None
    retry_after: int | None = None
    seen: int = 0

    def strikes(self, path: str, body: str) -> bool:
        if self.path not in path or self.body not in body or self.times == 0:
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class StandIn:
    """A server on loopback while its `with` lasts.

    `routes` names by method and a part of the path what answers; `is_authorized` and `work` are
    the subclass' to refine.
    """

    port: int = 0
    delay_seconds: float = 0.0
    # False: long runs would fill the memory.
    remembers_calls: bool = True

    calls: list[Call] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    # Calls that arrived, answered or not.
    arrived: int = 0

    routes: ClassVar[Mapping[tuple[str, str], Callable[[Any, str, Any], Reply]]] = {}

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._may_answer = threading.Event()
        self._may_answer.set()

    def __enter__(self) -> Self:
        self._server = _server(self)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, status: int, **how: Any) -> Failure:
        """Fail like this from now on; `Failure` says how."""
        failure = Failure(status, **how)
        self.failures.append(failure)
        return failure

    def hold(self) -> None:
        """Answer nobody before `release`."""
        self._may_answer.clear()

    def release(self) -> None:
        self._may_answer.set()

    def recover(self) -> None:
        self.failures.clear()
        self.delay_seconds = 0

    def calls_to(self, path: str, *, method: str = "") -> list[Call]:
        return [one for one in self.calls if path in one.path and method in one.method]

    def answer(
        self, method: str, path: str, raw: str, headers: Mapping[str, str]
    ) -> tuple[int, Any, Failure | None]:
        """The status and body of the answer, and the failure that struck, if one did."""
        self.arrived += 1
        self._may_answer.wait()
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        with self._lock:
            failure = next((one for one in self.failures if one.strikes(path, raw)), None)
            body = _parsed(raw, headers)
            if failure and not failure.after_work:
                status, answer = failure.status, {"detail": "told to fail"}
            else:
                status, answer = self.work(method, path, body, headers.get("Authorization", ""))
            if failure:
                status = failure.status
            self.note(Call(method, path, body, status))
        return status, answer, failure

    def note(self, call: Call) -> None:
        if self.remembers_calls:
            self.calls.append(call)

    def work(self, method: str, path: str, body: Any, authorization: str) -> Reply:
        if not self.is_authorized(authorization.removeprefix("JWT ")):
            return 401, {"detail": "Invalid token."}
        for (verb, words), answer in self.routes.items():
            if verb == method and words in path:
                return answer(self, path, body)
        return 404, {"detail": "Not found."}

    def is_authorized(self, token: str) -> bool:
        """Whether a call with this token is served."""
        # The LMS gives tokens, the order service asks it: each stand-in knows its own way.
        raise NotImplementedError


def _parsed(raw: str, headers: Mapping[str, str]) -> Any:
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return {name: values[0] for name, values in parse_qs(raw).items()}
    return json.loads(raw) if raw else None


def _server(remote: StandIn) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer leaves in one packet, and none waits for the next.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = dict(self.headers.items())
            status, body, failure = remote.answer(self.command, self.path, raw, headers)
            if status == 0:
                self.close_connection = True
                return
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if content:
                self.send_header("Content-Type", "application/json")
            if failure and failure.retry_after is not None:
                self.send_header("Retry-After", str(failure.retry_after))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_parts: object) -> None:
            """Say nothing: paths and bodies are the caller's business."""

    server = ThreadingHTTPServer(("127.0.0.1", remote.port), Handler)
    server.daemon_threads = True
    return server
