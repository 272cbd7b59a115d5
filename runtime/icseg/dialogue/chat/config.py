"""Settings of the chat policy: which server and model, how replies are read, and how long is waited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from icseg.dialogue.chat.messages import ImageFormat
from icseg.dialogue.chat.servers import SERVERS, chat_server
from icseg.errors import ConfigError
from icseg.settings import check, setting

PromptName = Literal["search", "direct"]


@dataclass(frozen=True, slots=True)
class ChatConfig:
    """Which server, which model, and how long to wait.

    The temperature is always 0. The authors evaluate with penalties of 1.1 and 1.0, which also act on digits and tags;
    the defaults here are neutral.

    Raises:
        ConfigError: a value is unknown, of the wrong type or out of range.
    """

    url: str = setting("http://127.0.0.1:8000/v1", "base address of the server", short="chat-url")
    server: str = setting("openai", "which program listens there", choices=tuple(SERVERS), short="chat-server")
    model: str = setting("icseg", "the name that the server has for the model", short="chat-model")
    prompt: PromptName = setting("search", "search may ask the person; direct never asks", choices=("search", "direct"))
    strict: bool = setting(False, "read replies as the official scorers do, for comparisons")
    api_key_env: str = setting("", "name of the environment variable that holds the key; empty = none")
    max_tokens: int = setting(1024, "tokens of a reply at most", low=1, high=32_768)
    seed: int = setting(0, "of the decoding", low=0, high=2**31 - 1)
    repetition_penalty: float = setting(1.0, "of the decoding; 1 = none", low=0.1, high=10)
    presence_penalty: float = setting(0.0, "of the decoding; 0 = none", low=-2, high=2)
    max_reply_chars: int = setting(
        16_384, "a longer reply without an action is cut off and is the model's fault", low=100, high=1_000_000
    )
    image_format: ImageFormat = setting(
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
