"""A policy server that can be made to misbehave: OpenAI-compatible, scripted, one dialogue form.

    python benchmarks/ros_chat_server.py PORT        # prints "listens"; each line on stdin is a mode

A thing without a colour is asked about, any other is looked for at once; the box comes from the nano detector.
Modes: answers, slow, hangs, nonsense, fails (HTTP 500), endless, dies (in the middle of a reply, with the process).
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

from icseg.assets import nano_models
from icseg.detector.detector import Detector
from icseg.detector.nano import load_detector
from icseg.dialogue.actions import Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.chat.grid import GridAnswer
from icseg.dialogue.chat.protocol import Reply, format_reply
from icseg.geometry import box_center
from icseg.types import ImageU8

MODES = ("answers", "slow", "hangs", "nonsense", "fails", "endless", "dies")
QUESTION = "Is the target purple or orange?"
SLOW_S, HANG_S, PIECE = 1.5, 600.0, 12


class ChatServer(ThreadingHTTPServer):
    """Replies as its mode says."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, detector: Detector) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.mode, self.detector = MODES[0], detector

    def listen_to(self, lines: Any) -> None:
        """Take modes, one a line, until there are no more; then end."""
        for line in lines:
            self.mode = line.strip()
            assert self.mode in MODES, self.mode
        os._exit(0)

    def reply(self, messages: list[dict[str, Any]]) -> str:
        """The next action of the dialogue as a model would write it."""
        return format_reply(self._act(messages))

    def _act(self, messages: list[dict[str, Any]]) -> Reply:
        opening, last = messages[1]["content"], messages[-1]["content"]
        command = opening[-1]["text"].strip().lower()
        kind = next((kind for kind in self.detector.kinds if kind in command), None)
        if kind is None:
            return GiveUp("there is no such thing")
        if len(messages) == 2 and not any(colour in command for colour in self.detector.colours):
            return Ask(QUESTION)
        if isinstance(last, list) and len(messages) > 2:
            return self._point(_picture(last[-1]["image_url"]["url"]), kind)
        return SelectKeyframe(max(int(number) for number in re.findall(r"frame (\d+) ", _words(opening))))

    def _point(self, picture: ImageU8, kind: str) -> Reply:
        found = [one for one in self.detector.detect(picture) if one.kind == kind]
        if not found:
            return GiveUp("it is not in sight")
        box, hw = found[0].box_image_px, (picture.shape[0], picture.shape[1])
        return GridAnswer.from_pixels(Answer(box, box_center(box)), hw)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        """One reply, streamed."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mode = self.server.mode
        self.close_connection = True
        if mode == "fails":
            self.send_error(500, "CUDA out of memory")
            return
        if mode in ("slow", "hangs"):
            time.sleep(SLOW_S if mode == "slow" else HANG_S)
        with suppress(OSError):  # the client hung up
            self._stream(body["messages"], mode)

    def _stream(self, messages: list[dict[str, Any]], mode: str) -> None:
        text = "I like mugs. <call> {mugs" if mode == "nonsense" else self.server.reply(messages)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while mode == "endless":
            self._piece("and another mug ")
            time.sleep(0.001)
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        for number, piece in enumerate(pieces):
            if mode == "dies" and number == len(pieces) // 2:
                os._exit(1)
            self._piece(piece)
        self._chunk(_event({}, "stop") + b"data: [DONE]\n\n")
        self._chunk(b"")

    def _piece(self, text: str) -> None:
        self._chunk(_event({"content": text}, None))

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _event(delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def _words(parts: list[dict[str, Any]]) -> str:
    return "".join(part.get("text", "") for part in parts)


def _picture(url: str) -> ImageU8:
    data = np.frombuffer(base64.b64decode(url.split(",", 1)[1]), np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert bgr is not None, "the client encoded it"
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


def main() -> None:
    """Serve until standard input ends."""
    server = ChatServer(int(sys.argv[1]), load_detector(nano_models() / "detector", threads=1))
    threading.Thread(target=server.listen_to, args=(sys.stdin,), daemon=True).start()
    print("listens", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
