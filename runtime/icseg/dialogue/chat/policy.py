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

from icseg.dialogue.chat.messages import ImageEncoder, ImageFormat, dialogue_messages
from icseg.dialogue.chat.protocol import STOP_STRINGS, ReplyFault, action_end, close_tag, parse_reply
from icseg.dialogue.chat.servers import SERVERS, chat_server, request_body
from icseg.dialogue.chat.stream import ChatReply, ChatStream, StreamLimits
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.policy import PolicyOutput
from icseg.errors import ConfigError
from icseg.settings import check, setting

PromptName = Literal["search", "direct"]

_KEPT_FAULT_CHARS = 2000
"""How much of an unusable reply the history keeps: a beginning, so that it is still a prefix of the server's cache."""


@dataclass(frozen=True, slots=True)
class ChatConfig:
    """Which server, which model, and how long to wait.

    The temperature is always 0. The authors evaluate with penalties of 1.1 and 1.0, which also act on digits and tags;
    the defaults here are neutral.

    Raises:
        ConfigError: a value is unknown, of the wrong type or out of range.
    """

    url: str = setting("http://127.0.0.1:8000/v1", "base address of the server")
    server: str = setting("openai", "which program listens there", choices=tuple(SERVERS))
    model: str = setting("icseg", "the name that the server has for the model")
    prompt: PromptName = setting(  # noqa: RUF009
        "search", "search may ask the person; direct never asks", choices=("search", "direct")
    )
    strict: bool = setting(False, "read replies as the official scorers do, for comparisons")
    api_key_env: str = setting("", "name of the environment variable that holds the key; empty = none")
    max_tokens: int = setting(1024, "tokens of a reply at most", low=1, high=32_768)
    seed: int = setting(0, "of the decoding", low=0, high=2**31 - 1)
    repetition_penalty: float = setting(1.0, "of the decoding; 1 = none", low=0.1, high=10)
    presence_penalty: float = setting(0.0, "of the decoding; 0 = none", low=-2, high=2)
    max_reply_chars: int = setting(
        16_384, "a longer reply without an action is cut off and is the model's fault", low=100, high=1_000_000
    )
    image_format: ImageFormat = setting(  # noqa: RUF009
        "jpeg", "how images travel; png loses nothing and is about five times larger", choices=("jpeg", "png")
    )
    jpeg_quality: int = setting(95, "of images that travel as JPEG", low=1, high=100)
    connect_timeout_s: float = setting(2.0, "seconds to a connection", low=0.01, high=600)
    first_token_timeout_s: float = setting(30.0, "seconds to the first token of a try", low=0.01, high=3600)
    idle_timeout_s: float = setting(10.0, "seconds between two tokens", low=0.01, high=3600)
    total_timeout_s: float = setting(60.0, "seconds for one reply with all its tries", low=0.01, high=3600)
    max_retries: int = setting(2, "more tries after a failed connection or HTTP 429 or 5xx", low=0, high=20)
    retry_backoff_s: float = setting(0.25, "seconds before the second try; doubled before each other", low=0, high=60)

    def __post_init__(self) -> None:
        check("chat", self)
        if not self.model:
            raise ConfigError("chat.model: expected the name of a model, got an empty text")
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
