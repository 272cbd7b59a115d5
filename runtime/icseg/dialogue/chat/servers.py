"""What each chat server understands beyond the common part of the OpenAI API: one record per server.

Data only: opens no connection. *Source:* the request models of TensorRT Edge-LLM 0.11 and trtllm-serve 1.2, and the
documentation of the other servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from icseg.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ChatServer:
    """One server's capabilities. All of them take images as ``image_url`` parts with a data URL.

    Attributes:
        name: as in the config.
        rejects_unknown_fields: a field it does not know fails the request instead of being ignored.
        takes_seed, takes_stream_usage, takes_presence_penalty: it accepts these standard fields.
        repetition_penalty_field: its name for the repetition penalty, or None when it has none.
        fixed_fields: sent with every request: keep the stop string, keep the prefix, no reasoning mode.
        how_to_start: for error texts.
    """

    name: str
    rejects_unknown_fields: bool
    takes_seed: bool = True
    takes_stream_usage: bool = True
    takes_presence_penalty: bool = True
    repetition_penalty_field: str | None = None
    fixed_fields: Mapping[str, Any] = field(default_factory=dict)
    how_to_start: str = "start the server"

    def penalty_fields(self, repetition_penalty: float, presence_penalty: float) -> dict[str, float]:
        """The fields for two penalties, none for the neutral values 1 and 0.

        Raises:
            ConfigError: the server has no such penalty: it would decode otherwise than configured.
        """
        fields: dict[str, float] = {}
        if presence_penalty != 0:
            if not self.takes_presence_penalty:
                raise ConfigError(f"chat.presence_penalty: {self.name} has none, expected 0, got {presence_penalty}")
            fields["presence_penalty"] = presence_penalty
        if repetition_penalty != 1:
            if self.repetition_penalty_field is None:
                raise ConfigError(
                    f"chat.repetition_penalty: {self.name} has none, expected 1, got {repetition_penalty}"
                )
            fields[self.repetition_penalty_field] = repetition_penalty
        return fields


_NO_REASONING = {"chat_template_kwargs": {"enable_thinking": False}}

SERVERS: Mapping[str, ChatServer] = {
    server.name: server
    for server in (
        # The common part only: for a server that is not in this table.
        ChatServer("openai", rejects_unknown_fields=True),
        # A presence penalty other than 0 fails the request; a repetition penalty is reset with a warning.
        ChatServer(
            "edge-llm",
            rejects_unknown_fields=True,
            takes_presence_penalty=False,
            fixed_fields={"enable_thinking": False, "reuse_context": True},
            how_to_start="tensorrt-edgellm-serve MODEL --enable-context-reuse --max-image-tokens 2048",
        ),
        # Newer versions refuse template arguments that the model's template does not use, so none are sent.
        ChatServer(
            "trtllm-serve",
            rejects_unknown_fields=True,
            repetition_penalty_field="repetition_penalty",
            fixed_fields={"include_stop_str_in_output": True},
            how_to_start="trtllm-serve MODEL",
        ),
        ChatServer(
            "llama.cpp",
            rejects_unknown_fields=False,
            repetition_penalty_field="repeat_penalty",
            fixed_fields={"cache_prompt": True, **_NO_REASONING},
            how_to_start="llama-server -m MODEL.gguf --mmproj MMPROJ.gguf -c 8192",
        ),
        ChatServer(
            "vllm",
            rejects_unknown_fields=False,
            repetition_penalty_field="repetition_penalty",
            fixed_fields={"include_stop_str_in_output": True, **_NO_REASONING},
            how_to_start="vllm serve MODEL --limit-mm-per-prompt '{\"image\": 12}'",
        ),
        ChatServer(
            "sglang",
            rejects_unknown_fields=False,
            repetition_penalty_field="repetition_penalty",
            fixed_fields={"no_stop_trim": True, **_NO_REASONING},
            how_to_start="python -m sglang.launch_server --model-path MODEL",
        ),
        # Its /v1 API cannot set the context length, which is 4096 or less by default: it belongs in the Modelfile.
        ChatServer(
            "ollama", rejects_unknown_fields=False, how_to_start="ollama serve, with num_ctx 8192 in the Modelfile"
        ),
    )
}


def chat_server(name: str) -> ChatServer:
    """The record of a server.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in SERVERS:
        raise ConfigError(f"chat.server: expected one of {', '.join(SERVERS)}, got {name!r}")
    return SERVERS[name]


def request_body(
    server: ChatServer,
    *,
    model: str,
    messages: list[dict[str, Any]],
    stop: tuple[str, ...],
    max_tokens: int,
    seed: int,
    penalties: Mapping[str, float],
) -> dict[str, Any]:
    """The JSON body of one streamed request, with no field that the server does not know.

    Temperature, length and stop strings are always said, because the servers' defaults differ.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "temperature": 0,
        "max_tokens": max_tokens,
        "stop": list(stop),
        **server.fixed_fields,
        **penalties,
    }
    if server.takes_seed:
        body["seed"] = seed
    if server.takes_stream_usage:
        body["stream_options"] = {"include_usage": True}
    return body
