"""Settings of a session: frozen, with defaults in place, every value checked when it is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from icseg.errors import ConfigError
from icseg.settings import check, setting


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """How a session behaves. Times of people and cameras are by the session's clock, all others by the stream's stamps.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    buffer_frames: int = setting(300, "images kept to catch up with a target in the past", low=1, high=100_000)
    buffer_mb: int = setting(512, "bound of the images kept, in 10^6 bytes of pixels", low=1, high=65_536)
    look_back_s: float = setting(2.0, "the policy sees images up to this old, seconds", low=0, high=600)
    answer_timeout_s: float = setting(
        20.0, "seconds that a question waits before it is repeated, and then given up", low=0.1, high=3600
    )
    max_questions: int = setting(5, "questions put to the person in one dialogue, at most", low=0, high=5)
    question_repeats: int = setting(1, "how often an unanswered question is repeated", low=0, high=5)
    catch_up_frames: int = setting(
        24, "tracker steps between the keyframe and the live stream, at most", low=1, high=10_000
    )
    every_frame: bool = setting(False, "track every image and drop none: for recordings, where nothing is live")
    search_timeout_s: float = setting(30.0, "seconds that a lost target is searched", low=0.1, high=86_400)
    rechecks: bool = setting(
        True, "look now and then whether the mask is still on the target, and correct it, where the policy can"
    )
    recheck_s: float = setting(0.5, "seconds between two looks", low=0.01, high=3600)
    recheck_doubt_s: float = setting(
        0.1, "the same while the target is lost or its mask is in doubt, seconds", low=0.01, high=3600
    )
    recheck_below_iou: float = setting(0.6, "a mask is in doubt when its estimated IoU is below this", low=0, high=1)
    camera_timeout_s: float = setting(
        2.0, "seconds without an image that are reported while something is going on", low=0.1, high=3600
    )
    restart_after_frames: int = setting(
        3, "so many refused images in a row (another size, stamps in the past) are a new stream", low=1, high=1000
    )

    def __post_init__(self) -> None:
        check("session", self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> SessionConfig:
        """Settings from a parsed file.

        Raises:
            ConfigError: an unknown key, or a value that is out of range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"session: unknown setting {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        return cls(**values)  # type: ignore[arg-type]  # checked by __post_init__
