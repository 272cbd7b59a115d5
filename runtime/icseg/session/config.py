"""Settings of a session, in groups: the dialogue's, the images that are kept, the following of a target."""

from __future__ import annotations

from dataclasses import dataclass

from icseg.dialogue.config import DialogueConfig
from icseg.settings import check, group, setting


@dataclass(frozen=True, slots=True)
class BufferConfig:
    """The images that are kept to catch up with a target in the past.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    max_frames: int = setting(300, "images kept to catch up with a target in the past", low=1, high=100_000)
    max_mb: int = setting(512, "bound of the images kept, in 10^6 bytes of pixels", low=1, high=65_536)

    def __post_init__(self) -> None:
        check("session.buffer", self)


@dataclass(frozen=True, slots=True)
class FollowingConfig:
    """From the keyframe to the newest image, and on. Times are by the stream's stamps.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    catch_up_frames: int = setting(
        24, "tracker steps between the keyframe and the live stream, at most", low=1, high=10_000
    )
    every_frame: bool = setting(False, "track every image and drop none: for recordings, where nothing is live")
    search_timeout_s: float = setting(30.0, "seconds that a lost target is searched", low=0.1, high=86_400)
    rechecks: bool = setting(
        True, "check now and then whether the mask is still on the target, and correct it, where the policy can"
    )
    recheck_s: float = setting(0.5, "seconds between two rechecks", low=0.01, high=3600)
    recheck_doubt_s: float = setting(
        0.1, "the same while the target is lost or its mask is in doubt, seconds", low=0.01, high=3600
    )
    recheck_below_iou: float = setting(0.6, "a mask is in doubt when its estimated IoU is below this", low=0, high=1)

    def __post_init__(self) -> None:
        check("session.following", self)


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """How a session behaves.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    dialogue: DialogueConfig = group(DialogueConfig)
    buffer: BufferConfig = group(BufferConfig)
    following: FollowingConfig = group(FollowingConfig)
    camera_timeout_s: float = setting(
        2.0, "seconds without an image that are reported while something is going on", low=0.1, high=3600
    )
    restart_after_frames: int = setting(
        3, "so many refused images in a row (another size, stamps in the past) are a new stream", low=1, high=1000
    )

    def __post_init__(self) -> None:
        check("session", self)
