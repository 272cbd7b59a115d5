"""Bytes of a chat server's response -> reply text so far. Knows the OpenAI response form; opens no connection.

Reads a stream of server-sent events, and also the single JSON document of a server that did not stream.
"""

from __future__ import annotations

import json
from typing import Any

from icseg.errors import BackendError

_MAX_EVENT_BYTES = 1 << 20
"""No reply of this protocol comes near: longer lines are not from a chat server."""


class ReplyReader:
    """Reads one response body piece by piece, in whatever pieces the network cut it.

    Args:
        source: the server, for error texts.

    Attributes:
        text: the reply so far.
        piece_count: events with text (or with reasoning, which is not kept): about one per token.
        finish_reason: as the server says, e.g. ``stop`` or ``length``; None until then.
        completion_tokens: the server's own count, or None when it gave none.
        is_complete: the server said that nothing follows.
    """

    def __init__(self, source: str) -> None:
        self.text = ""
        self.piece_count = 0
        self.finish_reason: str | None = None
        self.completion_tokens: int | None = None
        self.is_complete = False
        self._source = source
        self._pending = b""
        self._data_lines: list[bytes] = []
        self._is_json: bool | None = None
        self._event_count = 0
        self._first_bytes = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            BackendError: they are not the chat API, or the server reports an error in them.
        """
        # Lines are split as bytes and decoded whole: no character is ever cut in two.
        self._pending += data
        self._first_bytes = (self._first_bytes + data)[:200]
        if self._is_json is None and (start := self._pending.lstrip()):
            self._is_json = start.startswith(b"{")
        if not self._is_json:
            *lines, self._pending = self._pending.split(b"\n")
            for line in lines:
                self._read_line(line.rstrip(b"\r"))
        if len(self._pending) > _MAX_EVENT_BYTES:
            raise BackendError(f"{self._source} sent over {_MAX_EVENT_BYTES} bytes without an end of line")

    def end(self) -> None:
        """The connection was closed: read what is left.

        Raises:
            BackendError: what came was not the chat API.
        """
        if self._is_json:
            self._read_payload(self._pending, "message")
            self.is_complete = True
            return
        self._read_line(self._pending.rstrip(b"\r"))
        self._read_line(b"")
        if self._event_count == 0 and self._first_bytes.strip():
            raise BackendError(f"{self._source} answered with something that is not the chat API: {self._excerpt()}")

    def _read_line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data_lines.append(line[5:].removeprefix(b" "))
        elif not line and self._data_lines:
            event, self._data_lines = b"\n".join(self._data_lines), []
            self._event_count += 1
            if event.strip() == b"[DONE]":
                self.is_complete = True
            else:
                self._read_payload(event, "delta")

    def _read_payload(self, payload: bytes, message_key: str) -> None:
        try:
            content = json.loads(payload.decode("utf-8", errors="replace"))
        except (ValueError, RecursionError) as error:
            raise BackendError(f"{self._source} sent something that is not JSON: {_short(payload)}") from error
        if not isinstance(content, dict):
            raise BackendError(f"{self._source} sent {_short(payload)}, expected a JSON object")
        if content.get("error"):
            raise BackendError(f"{self._source} reported: {error_message(payload)}")
        usage = content.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("completion_tokens"), int):
            self.completion_tokens = usage["completion_tokens"]
        choices = content.get("choices")
        if not isinstance(choices, list):
            raise BackendError(f"{self._source} sent {_short(payload)}, expected an object with choices")
        if choices:
            self._read_choice(choices[0], message_key, payload)

    def _read_choice(self, choice: Any, message_key: str, payload: bytes) -> None:
        message = choice.get(message_key) if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            raise BackendError(f"{self._source} sent {_short(payload)}, expected a choice with {message_key}")
        words = message.get("content")
        if isinstance(words, str) and words:
            self.text += words
            self.piece_count += 1
        elif message.get("reasoning_content") or message.get("reasoning"):
            self.piece_count += 1
        if isinstance(choice.get("finish_reason"), str):
            self.finish_reason = choice["finish_reason"]

    def _excerpt(self) -> str:
        return _short(self._first_bytes)


def error_message(body: bytes) -> str:
    """The words of an error response: its ``error.message``, in any of the usual places, or its first characters."""
    try:
        content = json.loads(body.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return _short(body)
    for key in ("error", "detail"):
        if isinstance(content, dict) and content.get(key):
            content = content[key]
    if isinstance(content, dict) and isinstance(content.get("message"), str):
        content = content["message"]
    return _short(str(content).encode("utf-8", errors="replace"))


def _short(data: bytes) -> str:
    text = " ".join(data.decode("utf-8", errors="replace").split())
    return repr(text if len(text) <= 200 else text[:200] + " ...")
