"""The calibration set of a policy: our prompts, frames of the simulated table, and dialogues about them.

The dialogues go through the runtime's own ``dialogue_messages``. Edge-LLM calibrates on one image and one text at a
time, so a dialogue becomes as many samples as it has images, each with all of its text.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icseg.dialogue.actions import Answer, Ask, SelectKeyframe
from icseg.dialogue.chat.messages import ImageEncoder, Message, dialogue_messages
from icseg.dialogue.chat.policy import load_prompt
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.dialogue.observations import FRAMES_PER_DIALOGUE
from icseg.errors import SourceError
from icseg.sim.clip_file import RecordedClip, load_clip
from icseg.sim.commands import Command, commands
from icseg.sim.truth import SimFrame

SAMPLES_NAME = "samples.jsonl"
_SPACING = 5
"""Frames from one that a dialogue shows to the next: all six span about two seconds, as the session samples them."""


@dataclass(frozen=True, slots=True)
class CalibrationSample:
    """One image as its encoded bytes (JPEG), and the text that goes with it."""

    image: bytes
    text: str


def calibration_dialogues(clip: RecordedClip, count: int) -> Iterator[Dialogue]:
    """``count`` finished dialogues over different frames, commands and targets, always the same ones.

    Raises:
        SourceError: the clip is too short for one dialogue, or shows nothing that can be named.
    """
    frames = list(clip)
    last = len(frames) - 1 - _SPACING * (FRAMES_PER_DIALOGUE - 1)
    if last < 0:
        raise SourceError(f"{clip.folder}: too short to calibrate on, {len(frames)} frames")
    for number in range(count):
        start = last * number // max(1, count - 1)
        shown = frames[start : start + _SPACING * FRAMES_PER_DIALOGUE : _SPACING]
        said = commands(shown[-1])
        if not said:
            raise SourceError(f"{clip.folder}: frame {shown[-1].frame.index} shows nothing that can be named")
        yield _dialogue(shown, said[number * 7 % len(said)])


def calibration_samples(dialogues: Iterator[Dialogue], prompt: str) -> Iterator[CalibrationSample]:
    """What the model would be sent, cut into pairs of one image and a text."""
    encoder = ImageEncoder()
    for dialogue in dialogues:
        messages = dialogue_messages(dialogue, prompt, encoder)
        text = "\n".join(_texts(messages))
        for image in _images(messages):
            yield CalibrationSample(image, text)


def write_calibration(folder: Path, count: int, clip: RecordedClip | None = None) -> int:
    """Write ``count`` samples as images and ``samples.jsonl``; a folder that is there already is replaced.

    Returns:
        How many samples were written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = clip if clip is not None else load_clip()
    per_dialogue = FRAMES_PER_DIALOGUE + 1
    samples = calibration_samples(calibration_dialogues(source, -(-count // per_dialogue)), load_prompt("search"))
    lines = []
    for number, sample in zip(range(count), samples, strict=False):
        name = f"{number:04d}.jpg"
        (folder / name).write_bytes(sample.image)
        lines.append(json.dumps({"image": name, "text": sample.text}))
    (folder / SAMPLES_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def _dialogue(shown: list[SimFrame], command: Command) -> Dialogue:
    """Ask when it is ambiguous, choose the last frame, answer with the truth."""
    sim = shown[-1]
    target = min(command.fitting)
    thing = sim.things[target]
    turns = []
    if command.is_ambiguous:
        colours = " or ".join(sorted({sim.things[thing_id].colour for thing_id in command.fitting}))
        ask = Ask(f"Is the target {colours}?", thinking=f"{len(command.fitting)} things fit; they differ in colour.")
        turns.append(Turn(ask, observation=Observation("answer", f"the {thing.colour} one")))
    frame_id = sim.frame.index
    select = SelectKeyframe(frame_id, thinking=f"The {thing.colour} {thing.kind} is clear in frame {frame_id}.")
    turns.append(Turn(select, observation=Observation("keyframe", frame_id=frame_id)))
    box = sim.box_image_px(target)
    assert box is not None, "a command fits only what is in view"
    rows, cols = np.nonzero(sim.mask(target))
    middle = len(rows) // 2
    point = (float(cols[middle]), float(rows[middle]))
    turns.append(Turn(Answer(box, point, thinking=f"The {thing.kind} is there.")))
    return Dialogue(command.text, {one.frame.index: one.frame for one in shown}, turns)


def _texts(messages: list[Message]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            yield content
        else:
            yield "".join(part["text"] for part in content if part["type"] == "text")


def _images(messages: list[Message]) -> Iterator[bytes]:
    for message in messages:
        if not isinstance(message["content"], str):
            for part in message["content"]:
                if part["type"] == "image_url":
                    yield base64.b64decode(part["image_url"]["url"].split(",", 1)[1])
