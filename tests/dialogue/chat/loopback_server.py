"""A real HTTP server on loopback that plays one step per request: a recorded stream, or a misbehaviour."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parents[2] / "data" / "chat"


class LoopbackServer(ThreadingHTTPServer):
    """Keeps every request it got, and whether a client hung up on it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.steps: deque[Step] = deque()
        self.bodies: list[dict[str, Any]] = []
        self.raw_bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.hung_up = threading.Event()
        self.stopping = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackServer

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.raw_bodies.append(raw)
        self.server.bodies.append(json.loads(raw))
        self.server.headers.append(dict(self.headers))
        self.server.paths.append(self.path)
        self.close_connection = True
        try:
            self.server.steps.popleft()(self)
        except OSError:
            self.server.hung_up.set()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def start(self, status: int = 200, content_type: str = "text/event-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def wait(self, seconds: float) -> None:
        self.server.stopping.wait(seconds)


Step = Callable[[_Handler], None]


def event(content: str | None, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


def stream_of(text: str, finish_reason: str = "stop", size: int = 6) -> bytes:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return b"".join(map(event, pieces)) + event(None, finish_reason) + b"data: [DONE]\n\n"


def replay(data: bytes, cut_every: int = 40, pause_s: float = 0.0) -> Step:
    """Send a recorded body in pieces that do not respect its lines or characters."""

    def step(handler: _Handler) -> None:
        handler.start()
        for start in range(0, len(data), cut_every):
            handler.chunk(data[start : start + cut_every])
            time.sleep(pause_s)
        handler.chunk(b"")

    return step


def silent(seconds: float) -> Step:
    """Take the request and say nothing."""
    return lambda handler: handler.wait(seconds)


def stall(data: bytes, seconds: float) -> Step:
    """Send some bytes, then nothing more."""

    def step(handler: _Handler) -> None:
        handler.start()
        handler.chunk(data)
        handler.wait(seconds)

    return step


def cut_off(data: bytes) -> Step:
    """Send some bytes and close the connection in the middle of the body."""

    def step(handler: _Handler) -> None:
        handler.start()
        if data:
            handler.chunk(data)

    return step


def drop(handler: _Handler) -> None:
    """Close the connection without a response."""


def answer(status: int, body: bytes, content_type: str = "application/json") -> Step:
    """Send a whole response."""

    def step(handler: _Handler) -> None:
        handler.start(status, content_type)
        handler.chunk(body)
        handler.chunk(b"")

    return step


def document(text: str, finish_reason: str = "stop") -> bytes:
    """The body of a server that ignores ``stream``."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice], "usage": {"completion_tokens": 7}}).encode()


def endless(lead: bytes, data: bytes) -> Step:
    """Go on until the client hangs up."""

    def step(handler: _Handler) -> None:
        handler.start()
        if lead:
            handler.chunk(lead)
        while not handler.server.stopping.wait(0.001):
            handler.chunk(data)

    return step


def recording(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def recorded_bodies(document: dict[str, Any]) -> list[bytes]:
    return [("\n".join(exchange["lines"]) + "\n").encode() for exchange in document["exchanges"]]
