"""What a policy may decide in one turn: ask, choose a keyframe, answer, or give up. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from icseg.types import Box, Point


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a question is about.

    Attributes:
        box_image_px: in the newest of the dialogue's frames.
        label: what it is called, e.g. ``red mug``.
        score: probability that it is the one that is meant, 0..1.
        attributes: (name, value), e.g. ``("colour", "red")``.
        options: indices of the question's options that leave it.
    """

    box_image_px: Box
    label: str
    score: float
    attributes: tuple[tuple[str, str], ...] = ()
    options: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Put one short question to the person.

    Attributes:
        options: the answers that it offers, empty for an open question.
        choices: the things that it is about, where the policy knows where they are; of no account when compared.
    """

    question: str
    options: tuple[str, ...] = ()
    thinking: str = ""
    choices: tuple[Choice, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class SelectKeyframe:
    """Commit to the frame that shows the target best; ``frame_id`` is one of the dialogue's frame ids."""

    frame_id: int
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the target is in one frame.

    Attributes:
        box_image_px: in that frame, inside it and not empty.
        point_image_px: a pixel inside that frame where the target itself is seen; it need not lie inside the box.
        label: what the policy calls it; empty when it does not say. Of no account when compared.
        frame_id: one of the dialogue's frame ids. None: the keyframe that was shown last, without which such an answer
            is refused.
    """

    box_image_px: Box
    point_image_px: Point
    thinking: str = ""
    label: str = field(default="", compare=False)
    frame_id: int | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """There is no target to segment, and why, in words for the person."""

    reason: str
    thinking: str = ""


Action = Ask | SelectKeyframe | Answer | GiveUp
