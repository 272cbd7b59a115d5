"""The IC-Seg protocol, our side: which frames are shown, at what size, and what the model is told back.

*Source:* IC-Seg, arXiv 2605.17531, and its parent's agent loop. The error texts of a question or an answer at the
wrong time are our own: the original loop answers those with silence.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

FRAMES_PER_DIALOGUE = 6
"""Frames that a dialogue shows at most."""
CONTEXT_SIDE_PX = 448
"""Every sampled frame is shown at exactly this size, aspect ratio not kept, as the model was trained."""
KEYFRAME_SIDE_PX = 864
"""The keyframe is shown at exactly this size."""

KEYFRAME_TEXT = "Here is the high-res version of your selected frame: "
ANSWER_TOO_EARLY_TEXT = "Select a keyframe first; answer after you have seen it in high resolution."
QUESTIONS_SPENT_TEXT = "No questions are left. Select a keyframe, or answer if you have seen it in high resolution."
INTERACTIONS_SPENT_TEXT = "No interactions are left. Answer now with the frame you have seen in high resolution."


def sample_frame_indices(total: int, count: int = FRAMES_PER_DIALOGUE) -> list[int]:
    """Which of ``total`` frames a dialogue shows: ``count`` evenly spaced ones, first and last included, or all.

    Raises:
        ValueError: total or count is below 1.
    """
    if total < 1 or count < 1:
        raise ValueError(f"frame sampling: expected total and count of at least 1, got {total} and {count}")
    if total <= count:
        return list(range(total))
    # Truncated, not rounded: the indices must be the ones the model was trained with.
    return [int(index) for index in np.linspace(0, total - 1, count).astype(np.int64)]


def information_text(words: str) -> str:
    """The person's answer as the model reads it."""
    return f"<information>{words}</information>\n\n"


def unknown_frame_text(frame_ids: Iterable[int]) -> str:
    """The error text for a frame id that is not one of the frames shown."""
    return f"Frame index not in [{', '.join(str(frame_id) for frame_id in frame_ids)}]."


def invalid_reply_text(reason: str) -> str:
    """The error text for a reply that could not be used."""
    return (
        f"Invalid reply: {reason}. Write <thinking> ... </thinking> and then exactly one <call>, <keyframe> or "
        "<answer> with its closing tag."
    )
