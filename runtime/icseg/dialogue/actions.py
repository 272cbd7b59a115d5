"""What a policy may decide in one turn: ask, choose a keyframe, answer, or give up. Plain values."""

from __future__ import annotations

from dataclasses import dataclass

from icseg.types import Box, Point


@dataclass(frozen=True, slots=True)
class Ask:
    """Put one short question to the person. ``options`` are the answers it offers, empty for an open question."""

    question: str
    options: tuple[str, ...] = ()
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class SelectKeyframe:
    """Commit to the frame that shows the target best; ``frame_id`` is one of the dialogue's frame ids."""

    frame_id: int
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the target is in the keyframe. Only legal after the keyframe was shown at high resolution."""

    box_vlm_1000: Box
    point_vlm_1000: Point
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """There is no target to segment, and why, in words for the person."""

    reason: str
    thinking: str = ""


Action = Ask | SelectKeyframe | Answer | GiveUp
