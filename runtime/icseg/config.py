"""Settings of a session: frozen, with defaults in place, every value checked when it is set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from icseg.errors import ConfigError

_RANGES: dict[str, tuple[float, float]] = {
    "buffer_frames": (1, 100_000),
    "buffer_mb": (1, 65_536),
    "look_back_s": (0.0, 600.0),
    "answer_timeout_s": (0.1, 3_600.0),
    "max_questions": (0, 5),
    "question_repeats": (0, 5),
    "catch_up_frames": (1, 10_000),
    "search_timeout_s": (0.1, 86_400.0),
    "recheck_s": (0.01, 3_600.0),
    "recheck_doubt_s": (0.01, 3_600.0),
    "recheck_below_iou": (0.0, 1.0),
    "camera_timeout_s": (0.1, 3_600.0),
    "restart_after_frames": (1, 1_000),
}


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """How a session behaves.

    Args:
        buffer_frames, buffer_mb: bounds of the frames kept (1 MB = 10^6 bytes of pixels).
        look_back_s: the policy sees frames up to this old, by the stream's clock.
        answer_timeout_s: how long a question waits before it is repeated, and then given up.
        max_questions: put to the person in one dialogue.
        question_repeats: how often an unanswered question is repeated.
        catch_up_frames: at most this many tracker steps between the keyframe and the live stream.
        every_frame: track every frame and drop none: for recordings, where nothing is live.
        search_timeout_s: how long a lost target is searched, by the stream's clock.
        rechecks: look now and then whether the mask is still on the target, and correct it, where the policy can.
        recheck_s: how long between two looks, by the stream's clock.
        recheck_doubt_s: the same while the target is lost or its mask's estimated IoU is below
        recheck_below_iou: 0..1.
        camera_timeout_s: silence of the camera that is worth an event, while something is going on.
        restart_after_frames: this many refused frames in a row (another size, stamps in the past) are a new stream.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    buffer_frames: int = 300
    buffer_mb: int = 512
    look_back_s: float = 2.0
    answer_timeout_s: float = 20.0
    max_questions: int = 5
    question_repeats: int = 1
    catch_up_frames: int = 24
    every_frame: bool = False
    search_timeout_s: float = 30.0
    rechecks: bool = True
    recheck_s: float = 0.5
    recheck_doubt_s: float = 0.1
    recheck_below_iou: float = 0.6
    camera_timeout_s: float = 2.0
    restart_after_frames: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in _RANGES:
                if not isinstance(value, bool):
                    raise ConfigError(f"session.{field.name}: expected true or false, got {value!r}")
                continue
            low, high = _RANGES[field.name]
            wants_int = isinstance(field.default, int)
            is_number = isinstance(value, int if wants_int else (int, float)) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or not low <= value <= high:
                kind = "an integer" if wants_int else "a number"
                raise ConfigError(f"session.{field.name}: expected {kind} {low:g}..{high:g}, got {value!r}")

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
