"""The policy that asks a vision-language model behind an OpenAI-compatible chat server.

Puts the parts together: messages, server record, stream, parser. The model runs in the server's process; this file
needs no package for it.
"""

from __future__ import annotations

import math
import os
import time
from importlib import resources

from icseg.dialogue.chat.config import ChatConfig, PromptName, endpoint_url
from icseg.dialogue.chat.grid import GridAnswer
from icseg.dialogue.chat.messages import ImageEncoder, dialogue_messages
from icseg.dialogue.chat.protocol import STOP_STRINGS, action_end, close_tag, parse_reply
from icseg.dialogue.chat.servers import chat_server, request_body
from icseg.dialogue.chat.stream import ChatReply, ChatStream
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.policy import PolicyOutput, ReplyFault
from icseg.errors import ConfigError, ModelOutputError

_KEPT_FAULT_CHARS = 2000
"""How much of an unusable reply the history keeps: a beginning, so that it is still a prefix of the server's cache."""


class ChatPolicy:
    """Asks the model for the next action, with the whole dialogue in every request.

    What it measures is measured here, in the client. ``timings_ms``: ``encode_images``; ``first_token`` and ``total``,
    both from the start of the request. ``rates_per_s``: ``tokens``, after the first.

    Raises:
        ConfigError: the environment variable for the key is not set or holds no usable key.
    """

    name = "chat"

    def __init__(self, config: ChatConfig | None = None) -> None:
        self.config = config = config if config is not None else ChatConfig()
        self._server = chat_server(config.server)
        self._system_prompt = load_prompt(config.prompt)
        self._encoder = ImageEncoder(config.image_format, config.jpeg_quality)
        headers = _headers(config.api_key_env)
        self._stream = ChatStream(endpoint_url(config.url), headers, config, self._server.how_to_start)

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
        timings_ms, rates_per_s = {"encode_images": encode_ms, **_timings_ms(reply)}, _rates_per_s(reply)
        text = reply.text
        try:
            text = self._whole_text(reply)
            said = parse_reply(text, strict=config.strict)
        except ModelOutputError as fault:
            raise ReplyFault(str(fault), text[:_KEPT_FAULT_CHARS], timings_ms, rates_per_s) from fault
        action = said.in_pixels(dialogue.frame_hw) if isinstance(said, GridAnswer) else said
        return PolicyOutput(action, text, timings_ms, rates_per_s)

    def _is_enough(self, text: str) -> bool:
        return action_end(text) is not None or len(text) > self.config.max_reply_chars

    def _whole_text(self, reply: ChatReply) -> str:
        """The reply up to the end of its action, with the closing tag that the server may have taken away.

        Raises:
            ModelOutputError: the reply was cut off before its action ended.
        """
        end = action_end(reply.text)
        if end is not None:
            return reply.text[:end]
        reason = ""
        if len(reply.text) > self.config.max_reply_chars:
            reason = f"no action within {self.config.max_reply_chars} characters"
        elif reply.finish_reason == "length":
            reason = f"the reply was cut off at its limit of {reply.token_count} tokens"
        if reason:
            raise ModelOutputError(reason)
        return close_tag(reply.text)


def load_prompt(name: PromptName) -> str:
    """The system prompt of that name, as it is sent.

    *Source:* the rules are those of IC-Seg's two prompts, the wording is our own. Ours lets ``search`` say that nothing
    fits, which the original allows only without questions: a person may well ask for something that is not there.
    """
    path = resources.files("icseg.dialogue") / "prompts" / f"system_{name}.txt"
    return path.read_text(encoding="utf-8").strip()


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
    if reply.first_token_s is not None:
        timings["first_token"] = reply.first_token_s * 1000
    return timings


def _rates_per_s(reply: ChatReply) -> dict[str, float]:
    if reply.first_token_s is not None and reply.last_token_s is not None and reply.token_count > 1:
        seconds = reply.last_token_s - reply.first_token_s
        if seconds > 0 and math.isfinite(seconds):
            return {"tokens": (reply.token_count - 1) / seconds}
    return {}
