"""A dialogue as chat messages with images. Knows the OpenAI message form; knows no server and opens no connection.

The messages of a turn are those of the turn before and two more, byte for byte: servers find the prefix in their
cache and compute only what is new.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from icseg.dialogue.chat.protocol import format_action
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.dialogue.observations import CONTEXT_SIDE_PX, KEYFRAME_SIDE_PX, KEYFRAME_TEXT, information_text
from icseg.errors import BackendError
from icseg.types import Frame, ImageU8

ImageFormat = Literal["jpeg", "png"]
Message = dict[str, Any]

_CACHED_IMAGES = 28
"""Two dialogues of six frames, and as many keyframes again, before the oldest goes."""
_NO_WORDS = "<thinking> </thinking>"
"""Stands for a reply without words: chat templates want user and assistant to take turns."""


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    frame: Frame
    url: str


class ImageEncoder:
    """Frames as data URLs of square images, each encoded once and kept in a small cache.

    Args:
        image_format: ``jpeg`` or ``png``.
        jpeg_quality: 1..100.
    """

    def __init__(self, image_format: ImageFormat = "jpeg", jpeg_quality: int = 95) -> None:
        self._format = image_format
        self._jpeg_quality = jpeg_quality
        self._cache: OrderedDict[tuple[int, int, int], _Encoded] = OrderedDict()

    def data_url(self, frame: Frame, side_px: int) -> str:
        """The frame at ``side_px`` x ``side_px``, aspect ratio not kept; the same text for the same frame.

        Raises:
            BackendError: OpenCV could not encode the image.
        """
        key = (frame.stamp_ns, frame.index, side_px)
        # taken out and put back as the newest: another dialogue's thread may drop entries meanwhile
        kept = self._cache.pop(key, None)
        # Two sources may give the same stamp and index to different pictures.
        if kept is None or kept.frame.image is not frame.image:
            kept = _Encoded(frame, self._encode(resize_square(frame.image, side_px)))
        self._cache[key] = kept
        while len(self._cache) > _CACHED_IMAGES:
            self._cache.popitem(last=False)
        return kept.url

    def _encode(self, image: ImageU8) -> str:
        parameters = [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality] if self._format == "jpeg" else []
        suffix = ".jpg" if self._format == "jpeg" else ".png"
        is_encoded, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
        if not is_encoded:
            raise BackendError(f"OpenCV could not encode a {image.shape} image as {self._format}")
        return f"data:image/{self._format};base64,{base64.b64encode(data.tobytes()).decode('ascii')}"


def resize_square(image: ImageU8, side_px: int) -> ImageU8:
    """(H, W, 3) uint8 -> (side_px, side_px, 3) uint8, aspect ratio not kept.

    *Source:* the original resizes with PIL, whose bicubic and Lanczos filters widen when they shrink an image; OpenCV's
    do not, so shrinking uses area averaging and only enlarging uses bicubic.
    """
    height, width = image.shape[:2]
    method = cv2.INTER_AREA if min(height, width) >= side_px else cv2.INTER_CUBIC
    resized = cv2.resize(image, (side_px, side_px), interpolation=method)
    return np.asarray(resized, dtype=np.uint8)


def dialogue_messages(dialogue: Dialogue, system_prompt: str, encoder: ImageEncoder) -> list[Message]:
    """System prompt, frames with the command, then every turn: the model's words verbatim and what came back."""
    messages: list[Message] = [
        {"role": "system", "content": system_prompt},
        {"role": "user", "content": _opening(dialogue, encoder)},
    ]
    for turn in dialogue.turns:
        messages.append({"role": "assistant", "content": _assistant_words(turn, dialogue)})
        if turn.observation is not None:
            messages.append({"role": "user", "content": _observed(turn.observation, dialogue, encoder)})
    return messages


def _opening(dialogue: Dialogue, encoder: ImageEncoder) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    lead = ""
    for frame_id, frame in dialogue.frames.items():
        parts += [_text(f"{lead}frame {frame_id} "), _image(frame, CONTEXT_SIDE_PX, encoder)]
        lead = "\n"
    return [*parts, _text(f"\n\n{dialogue.command}")]


def _assistant_words(turn: Turn, dialogue: Dialogue) -> str:
    if turn.reply_text:
        return turn.reply_text
    if turn.action is None:
        return _NO_WORDS
    # Another policy, one that is no language model, may have taken the turn.
    return format_action(turn.action, dialogue.frame_hw)


def _observed(observation: Observation, dialogue: Dialogue, encoder: ImageEncoder) -> str | list[dict[str, Any]]:
    match observation.kind:
        case "answer":
            return information_text(observation.text)
        case "error":
            return observation.text
        case "keyframe":
            assert observation.frame_id is not None, "a keyframe observation has its frame"
            frame = dialogue.frames[observation.frame_id]
            return [_text(KEYFRAME_TEXT), _image(frame, KEYFRAME_SIDE_PX, encoder)]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(frame: Frame, side_px: int, encoder: ImageEncoder) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": encoder.data_url(frame, side_px)}}
