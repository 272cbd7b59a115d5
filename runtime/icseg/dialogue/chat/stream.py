"""One streamed request to a chat server, with deadlines, cancellation and retries. Knows HTTP; knows no protocol.

A thread of its own does the blocking calls and hands over bytes, so that the caller can stop at any moment, also while
connecting or inside TLS, where socket time-outs would leave a half-read response.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from icseg.dialogue.chat.config import ChatConfig
from icseg.dialogue.chat.events import ReplyReader, error_message
from icseg.errors import BackendError, Cancelled

_POLL_S = 0.05
"""How late a cancellation or a deadline may be noticed; arriving bytes wake the caller at once."""
_READ_BYTES = 1 << 16
_MAX_ERROR_BYTES = 1 << 14
_HINTS = {
    400: "is chat.server set to the server that runs there, and is its context long enough?",
    401: "does chat.api_key_env name the variable with the right key?",
    403: "does chat.api_key_env name the variable with the right key?",
    404: "is the path of chat.url right (it usually ends in /v1), and chat.model a model that is served?",
    413: "does the server limit the request's size?",
    422: "is chat.server set to the server that runs there?",
}


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A reply and when it came, measured here, in seconds from the start of the first attempt.

    Attributes:
        text: everything that was received.
        finish_reason: the server's, or None when the caller had enough before it ended.
        token_count: the server's count, or the number of pieces with text.
        first_token_s, last_token_s: None when no text came.
        total_s: until the caller got the reply.
    """

    text: str
    finish_reason: str | None
    token_count: int
    first_token_s: float | None
    last_token_s: float | None
    total_s: float


class _TryAgain(Exception):
    """The attempt failed before the server gave a single token."""


class ChatStream:
    """Posts requests to one URL.

    Args:
        url: full address of the chat completions endpoint.
        headers: sent with each request; never part of an error text.
        limits: its time-outs and retries count here.
        how_to_start: what to do when nothing listens there.
    """

    def __init__(self, url: SplitResult, headers: Mapping[str, str], limits: ChatConfig, how_to_start: str) -> None:
        self._url = url
        self._headers = dict(headers)
        self._limits = limits
        self._how_to_start = how_to_start

    def send(
        self, body: Mapping[str, Any], is_enough: Callable[[str], bool], is_cancelled: Callable[[], bool]
    ) -> ChatReply:
        """Post the body and read the reply until it ends or ``is_enough(text so far)``; then the connection is closed.

        Tried again, with a doubling pause: a failed or dropped connection, HTTP 429 and 5xx, all only while no token
        has come. Not tried again: a deadline, because a server that is too slow gets no faster by more requests, and a
        reply that breaks off, because the tokens are spent and the caller may rather go on without.

        Raises:
            BackendError: unreachable, refused, too slow, broke off, or not a chat server.
            Cancelled: ``is_cancelled()`` turned true; noticed within a fraction of a second.
        """
        payload = json.dumps(body).encode("ascii")
        started = time.monotonic()
        for attempt in range(self._limits.max_retries + 1):
            if attempt:
                self._pause(self._limits.retry_backoff_s * 2 ** (attempt - 1), started, is_cancelled)
            try:
                return self._attempt(payload, started, is_enough, is_cancelled)
            except _TryAgain as error:
                failure = error
        tries = self._limits.max_retries + 1
        raise BackendError(
            f"{self._url.geturl()}: {failure} ({tries} tries). Is the server running? {self._how_to_start}"
        ) from failure

    def _attempt(
        self, payload: bytes, started: float, is_enough: Callable[[str], bool], is_cancelled: Callable[[], bool]
    ) -> ChatReply:
        reader = ReplyReader(self._url.geturl())
        clock = _Clock(started, self._limits)
        exchange = _Exchange(self._url, self._headers, payload, self._limits)
        try:
            while True:
                if is_cancelled():
                    raise Cancelled("the request to the chat server was cancelled")
                problem = clock.problem()
                # After the finish reason only a token count can follow: not worth failing for.
                if problem and reader.finish_reason is None:
                    raise BackendError(f"{self._url.geturl()}: {problem}")
                item = exchange.next_item(_POLL_S)
                if isinstance(item, bytes):
                    self._take(item, exchange, reader)
                    clock.saw(reader.piece_count)
                elif isinstance(item, BaseException) or item is _END:
                    self._close(item, exchange, reader)
                    clock.saw(reader.piece_count)
                    return clock.reply(reader)
                if problem or reader.is_complete or is_enough(reader.text):
                    return clock.reply(reader)
        finally:
            exchange.close()

    def _take(self, data: bytes, exchange: _Exchange, reader: ReplyReader) -> None:
        if exchange.status == 200:
            reader.feed(data)
            return
        exchange.error_body += data
        if len(exchange.error_body) > _MAX_ERROR_BYTES:
            self._raise_status(exchange)

    def _close(self, item: object, exchange: _Exchange, reader: ReplyReader) -> None:
        """The connection ended, well or not: make sure that the reply is whole."""
        if exchange.status not in (None, 200):
            self._raise_status(exchange)
        if exchange.status == 200 and item is _END:
            reader.end()
        if reader.is_complete or reader.finish_reason is not None:
            return
        cause = f" ({item})" if isinstance(item, BaseException) else ""
        if reader.piece_count == 0:
            raise _TryAgain(f"no reply, the connection failed or was closed{cause}")
        raise BackendError(
            f"{self._url.geturl()}: the reply broke off after {len(reader.text)} characters{cause}. "
            "Did the server run out of memory or crash? Its log says more"
        )

    def _raise_status(self, exchange: _Exchange) -> None:
        assert exchange.status is not None
        said = f"HTTP {exchange.status}, {error_message(bytes(exchange.error_body))}"
        if exchange.status == 429 or exchange.status >= 500:
            raise _TryAgain(said)
        hint = _HINTS.get(exchange.status, "does chat.url point to a chat server?")
        raise BackendError(f"{self._url.geturl()}: {said}: {hint}")

    def _pause(self, seconds: float, started: float, is_cancelled: Callable[[], bool]) -> None:
        end = min(time.monotonic() + seconds, started + self._limits.total_timeout_s)
        while (left := end - time.monotonic()) > 0:
            if is_cancelled():
                raise Cancelled("the request to the chat server was cancelled")
            time.sleep(min(left, _POLL_S))


class _Clock:
    """When the pieces of one reply came, and which time limit is over."""

    def __init__(self, started: float, limits: ChatConfig) -> None:
        self._started = started
        self._limits = limits
        self._attempt_started = time.monotonic()
        self._pieces = 0
        self._first: float | None = None
        self._last: float | None = None

    def saw(self, piece_count: int) -> None:
        """Note the time when there are new pieces; keep-alive lines are no progress."""
        if piece_count > self._pieces:
            self._pieces = piece_count
            self._last = time.monotonic()
            self._first = self._last if self._first is None else self._first

    def problem(self) -> str:
        """Which limit is over and which setting it is; empty when none."""
        now, limits = time.monotonic(), self._limits
        if now - self._started > limits.total_timeout_s:
            return f"no whole reply within chat.total_timeout_s = {limits.total_timeout_s:g}"
        if self._last is None and now - self._attempt_started > limits.first_token_timeout_s:
            return (
                f"no first token within chat.first_token_timeout_s = {limits.first_token_timeout_s:g}; is it loading?"
            )
        if self._last is not None and now - self._last > limits.idle_timeout_s:
            return f"the reply stalled for chat.idle_timeout_s = {limits.idle_timeout_s:g}"
        return ""

    def reply(self, reader: ReplyReader) -> ChatReply:
        """The reply as it is now, with its times."""
        return ChatReply(
            text=reader.text,
            finish_reason=reader.finish_reason,
            token_count=reader.piece_count if reader.completion_tokens is None else reader.completion_tokens,
            first_token_s=None if self._first is None else self._first - self._started,
            last_token_s=None if self._last is None else self._last - self._started,
            total_s=time.monotonic() - self._started,
        )


_END = object()
"""The response ended without an error of the connection."""


class _Exchange:
    """One HTTP request on a thread; its response comes as bytes, then ``_END`` or the exception that ended it."""

    def __init__(self, url: SplitResult, headers: Mapping[str, str], payload: bytes, limits: ChatConfig) -> None:
        self.status: int | None = None
        self.error_body = bytearray()
        self._url = url
        self._headers = headers
        self._limits = limits
        self._items: queue.SimpleQueue[bytes | BaseException | object] = queue.SimpleQueue()
        self._socket: socket.socket | None = None
        self._is_closed = False
        threading.Thread(target=self._run, args=(payload,), name="icseg-chat", daemon=True).start()

    def next_item(self, timeout_s: float) -> bytes | BaseException | object | None:
        """The next bytes, ``_END`` or an exception; None when nothing came in time."""
        try:
            return self._items.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Drop the connection, which also tells the server to stop generating; the thread then ends by itself."""
        self._is_closed = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it was closed already

    def _run(self, payload: bytes) -> None:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=self._limits.connect_timeout_s)
        try:
            connection.connect()
            # The time limits are the caller's; this one only makes sure that the thread ends.
            connection.sock.settimeout(self._limits.total_timeout_s)
            self._socket = connection.sock
            if self._is_closed:
                return
            connection.request("POST", self._url.path, body=payload, headers=dict(self._headers))
            response = connection.getresponse()
            self.status = response.status
            while data := response.read1(_READ_BYTES):
                self._items.put(data)
            self._items.put(_END)
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a host name that IDNA refuses
            self._items.put(error)
        finally:
            connection.close()
