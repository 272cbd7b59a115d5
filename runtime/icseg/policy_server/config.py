"""Settings of the process that serves a built policy."""

from __future__ import annotations

from dataclasses import dataclass

from icseg.settings import check, setting


@dataclass(frozen=True, slots=True)
class PolicyServerConfig:
    """Where the policy's server listens, and how long is waited for it. It listens on loopback only.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    port: int = setting(0, "port on 127.0.0.1; 0 = the one in policy.json", low=0, high=65_535, short="port")
    ready_timeout_s: float = setting(
        3600.0,
        "seconds until the server must answer; its first start builds engines",
        low=0.1,
        high=86_400,
        short="ready-timeout",
    )
    stop_timeout_s: float = setting(
        15.0, "seconds that the server may take to end before it is killed", low=0.1, high=600
    )

    def __post_init__(self) -> None:
        check("policy_server", self)
