"""The policy that asks a vision-language model behind an OpenAI-compatible chat server.

Puts the parts together: messages, server record, stream, parser. The model runs in the server's process; this file
needs no package for it.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from importlib import resources
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from icseg.dialogue.chat_messages import ImageEncoder, ImageFormat, dialogue_messages
from icseg.dialogue.chat_server import chat_server, request_body
from icseg.dialogue.chat_stream import ChatReply, ChatStream, StreamLimits
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.policy import PolicyOutput
from icseg.dialogue.protocol import STOP_STRINGS, ReplyFault, action_end, close_tag, parse_reply
from icseg.errors import ConfigError

PromptName = Literal["search", "direct"]

_KEPT_FAULT_CHARS = 2000
"""How much of an unusable reply the history keeps: a beginning, so that it is still a prefix of the server's cache."""

_RANGES: dict[str, tuple[float, float]] = {
    "max_tokens": (1, 32768),
    "seed": (0, 2**31 - 1),
    "jpeg_quality": (1, 100),
    "max_reply_chars": (100, 1_000_000),
    "repetition_penalty": (0.1, 10.0),
    "presence_penalty": (-2.0, 2.0),
    "connect_timeout_s": (0.01, 600.0),
    "first_token_timeout_s": (0.01, 3600.0),
    "idle_timeout_s": (0.01, 3600.0),
    "total_timeout_s": (0.01, 3600.0),
    "max_retries": (0, 20),
    "retry_backoff_s": (0.0, 60.0),
}
_INTEGERS = ("max_tokens", "seed", "jpeg_quality", "max_reply_chars", "max_retries")


@dataclass(frozen=True, slots=True)
class ChatConfig:
    """Which server, which model, and how long to wait.

    Args:
        url: base address, e.g. ``http://127.0.0.1:8000/v1``.
        server: which program listens there: a name in ``chat_server.SERVERS``.
        model: the name it serves the model under.
        prompt: ``search`` may ask the person; ``direct`` never asks.
        strict: read replies as the official scorers do, for comparisons.
        api_key_env: name of the environment variable that holds the key, or empty for none.
        max_tokens, seed, repetition_penalty, presence_penalty: decoding; the temperature is always 0. The authors
            evaluate with penalties of 1.1 and 1.0, which also act on digits and tags; the defaults here are neutral.
        max_reply_chars: a longer reply without an action is cut off and counts as a fault of the model.
        image_format, jpeg_quality: how frames travel; ``png`` loses nothing and is about five times larger.
        connect_timeout_s, first_token_timeout_s, idle_timeout_s: to a connection, to the first token of a try, and
            between two tokens.
        total_timeout_s: for one reply with all its tries.
        max_retries, retry_backoff_s: more tries after a failed connection or HTTP 429 or 5xx; the pause doubles.

    Raises:
        ConfigError: a value is unknown, of the wrong type or out of range.
    """

    url: str = "http://127.0.0.1:8000/v1"
    server: str = "openai"
    model: str = "icseg"
    prompt: PromptName = "search"
    strict: bool = False
    api_key_env: str = ""
    max_tokens: int = 1024
    seed: int = 0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    max_reply_chars: int = 16384
    image_format: ImageFormat = "jpeg"
    jpeg_quality: int = 95
    connect_timeout_s: float = 2.0
    first_token_timeout_s: float = 30.0
    idle_timeout_s: float = 10.0
    total_timeout_s: float = 60.0
    max_retries: int = 2
    retry_backoff_s: float = 0.25

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            kinds = int if name in _INTEGERS else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
                kind = "an integer" if name in _INTEGERS else "a number"
                raise ConfigError(f"chat.{name}: expected {kind} {low:g}..{high:g}, got {value!r}")
        for name, allowed in (("prompt", ("search", "direct")), ("image_format", ("jpeg", "png"))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"chat.{name}: expected one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if not isinstance(self.model, str) or not self.model:
            raise ConfigError(f"chat.model: expected the name of a model, got {self.model!r}")
        if not isinstance(self.strict, bool):
            raise ConfigError(f"chat.strict: expected true or false, got {self.strict!r}")
        if not isinstance(self.api_key_env, str):
            raise ConfigError("chat.api_key_env: expected the name of an environment variable")
        endpoint_url(self.url)
        chat_server(self.server).penalty_fields(self.repetition_penalty, self.presence_penalty)


class ChatPolicy:
    """Asks the model for the next action, with the whole dialogue in every request.

    Its ``timings_ms`` are measured here, in the client: ``encode_images``; ``first_token`` and ``total``, both from
    the start of the request; and ``tokens_per_s``, the one value that is no time: tokens per second after the first.

    Raises:
        ConfigError: the environment variable for the key is not set or holds no usable key.
    """

    name = "chat"

    def __init__(self, config: ChatConfig | None = None) -> None:
        self.config = config = config if config is not None else ChatConfig()
        self._server = chat_server(config.server)
        self._system_prompt = load_prompt(config.prompt)
        self._encoder = ImageEncoder(config.image_format, config.jpeg_quality)
        limits = StreamLimits(
            connect_timeout_s=config.connect_timeout_s,
            first_token_timeout_s=config.first_token_timeout_s,
            idle_timeout_s=config.idle_timeout_s,
            total_timeout_s=config.total_timeout_s,
            max_retries=config.max_retries,
            retry_backoff_s=config.retry_backoff_s,
        )
        headers = _headers(config.api_key_env)
        self._stream = ChatStream(endpoint_url(config.url), headers, limits, self._server.how_to_start)

    def next_action(self, dialogue: Dialogue) -> PolicyOutput:
        """Decide the next action.

        Raises:
            ReplyFault: the reply is outside the protocol, endless, or was cut off at ``max_tokens``.
            BackendError: the server is unreachable, too slow, or no chat server; the text says what to do.
            Cancelled: ``dialogue.is_cancelled()`` turned true meanwhile.
        """
        config, started = self.config, time.monotonic()
        body = request_body(
            self._server,
            model=config.model,
            messages=dialogue_messages(dialogue, self._system_prompt, self._encoder),
            stop=STOP_STRINGS,
            max_tokens=config.max_tokens,
            seed=config.seed,
            penalties=self._server.penalty_fields(config.repetition_penalty, config.presence_penalty),
        )
        encode_ms = (time.monotonic() - started) * 1000
        reply = self._stream.send(body, self._is_enough, dialogue.is_cancelled)
        timings = {"encode_images": encode_ms, **_timings_ms(reply)}
        text = self._whole_text(reply, timings)
        try:
            return PolicyOutput(parse_reply(text, strict=config.strict), text, timings)
        except ReplyFault as fault:
            raise ReplyFault(str(fault), text[:_KEPT_FAULT_CHARS], timings) from fault

    def _is_enough(self, text: str) -> bool:
        return action_end(text) is not None or len(text) > self.config.max_reply_chars

    def _whole_text(self, reply: ChatReply, timings: dict[str, float]) -> str:
        """The reply up to the end of its action, with the closing tag that the server may have taken away."""
        end = action_end(reply.text)
        if end is not None:
            return reply.text[:end]
        reason = ""
        if len(reply.text) > self.config.max_reply_chars:
            reason = f"no action within {self.config.max_reply_chars} characters"
        elif reply.finish_reason == "length":
            reason = f"the reply was cut off at its limit of {reply.token_count} tokens"
        if reason:
            raise ReplyFault(reason, reply.text[:_KEPT_FAULT_CHARS], timings)
        return close_tag(reply.text)


def load_prompt(name: PromptName) -> str:
    """The system prompt of that name, as it is sent.

    *Source:* the rules are those of IC-Seg's two prompts, the wording is our own. Ours lets ``search`` say that nothing
    fits, which the original allows only without questions: a person may well ask for something that is not there.
    """
    path = resources.files("icseg.dialogue") / "prompts" / f"system_{name}.txt"
    return path.read_text(encoding="utf-8").strip()


def endpoint_url(url: str) -> SplitResult:
    """Base address -> address of the chat completions endpoint.

    Raises:
        ConfigError: not an http or https address, or one with a user name, a password, a query or a fragment.
    """
    expected = "an address like http://127.0.0.1:8000/v1, without user name, query or fragment"
    if not isinstance(url, str):
        raise ConfigError(f"chat.url: expected {expected}, got {type(url).__name__}")
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        # Without the cause: its text may quote what stands before the host, which could be a password.
        raise ConfigError(f"chat.url: expected {expected}, got an address that cannot be taken apart") from None
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not has_port or not is_plain:
        raise ConfigError(f"chat.url: expected {expected}, got one for host {parts.hostname!r}")
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return parts._replace(path=path)


def _headers(api_key_env: str) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
    if api_key_env:
        key = os.environ.get(api_key_env, "").strip()
        if not key:
            raise ConfigError(f"chat.api_key_env: the environment variable {api_key_env} is not set")
        if not key.isascii() or not key.isprintable():
            raise ConfigError(f"chat.api_key_env: the value of {api_key_env} is no usable key")
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _timings_ms(reply: ChatReply) -> dict[str, float]:
    timings = {"total": reply.total_s * 1000}
    if reply.first_token_s is not None and reply.last_token_s is not None:
        timings["first_token"] = reply.first_token_s * 1000
        seconds = reply.last_token_s - reply.first_token_s
        if reply.token_count > 1 and seconds > 0 and math.isfinite(seconds):
            timings["tokens_per_s"] = (reply.token_count - 1) / seconds
    return timings
